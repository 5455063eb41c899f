import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import (
    ELECTRODES,
    LEADS,
    SKIN,
    channel_name,
    electrodes_of,
    lead_name,
    lead_of,
    lead_off_leads,
    pair_of,
    parse_channels,
    parse_leads,
    read_label,
    read_labels,
)

LEAD = st.sampled_from(LEADS)
PAIR = st.lists(st.sampled_from(SKIN), min_size=2, max_size=2, unique=True).map("-".join)
DRESS = st.sampled_from(
    ["{}", " {} ", "Lead {}", "lead_{}", "ECG {}", "EKG {}", "ecg-{}", "MDC_ECG_LEAD_{}", "{} [mV]", "{} (uV)", "[{}]"]
)


@given(lead=LEAD, dress=DRESS, case=st.sampled_from([str, str.upper, str.lower]))
def test_every_spelling_of_a_lead_is_that_lead(lead, dress, case):
    found = read_label(dress.format(case(lead)))
    assert (found.lead, found.sign, found.pair) == (lead, 1, ()) and lead_of(dress.format(case(lead))) == lead


@given(lead=LEAD, provenance=st.sampled_from(["measured", "derived", "reconstructed"]))
def test_our_own_labels_say_where_a_lead_is_from(lead, provenance):
    assert read_label(f"{lead} ({provenance})").provenance == provenance
    assert read_label(f"{lead} (something)").provenance == ""


@pytest.mark.parametrize("case", [str, str.upper, str.lower, str.title])
@pytest.mark.parametrize("label", [
    "V1_reconstructed_mV", "V1_est_mV", "V1 synthesized [mV]", "V1 synthesised", "V1 calculated", "V1 RECONSTRUCTED",
    "derived V1", "V1 derived (mV)", "est.V1", "V1, est", "V1/predicted", "V1 (AI-reconstructed, 90 %)", "recon_V1",
    "V1 (measured; estimated)", "V1 not measured", "Ableitung V1 geschätzt", "lead V1 (inferred)", "V1 estimé",
])  # fmt: skip
def test_whatever_words_say_estimate_the_label_is_one(label, case):
    found = read_label(case(label))
    assert (found.lead, found.provenance) == ("V1", "reconstructed")


@pytest.mark.parametrize("label", ["aVF calculated", "aVF_calc", "computed aVF", "aVF derived", "aVF (derived)"])
def test_algebra_of_a_limb_lead_is_derived(label):
    assert (read_label(label).lead, read_label(label).provenance) == ("aVF", "derived")


@pytest.mark.parametrize("label", ["II rest", "resp", "Estonia", "I synthline", "II filtered", "II (something)"])
def test_other_words_claim_nothing(label):
    assert read_label(label).provenance == ""


@pytest.mark.parametrize(
    "label", ["interval V1", "INTERVAL V1 [mV]", "interval V1 (measured)", "V1_std_mV", "sd RA-V5"]
)
def test_how_uncertain_a_lead_is_is_no_lead(label):
    found = read_label(label)
    assert (found.interval, found.lead, found.provenance) == (True, "", "")
    assert not read_label("interval of nothing").interval


@pytest.mark.parametrize(
    ("label", "lead", "sign"),
    [
        ("-aVR", "aVR", -1),
        ("\N{MINUS SIGN}aVR", "aVR", -1),
        ("+II", "II", 1),
        ("MLII", "II", 1),
        ("MLIII", "III", 1),
        ("DI", "I", 1),
        ("d3", "III", 1),
        ("C1", "V1", 1),
        ("c6", "V6", 1),
        ("C7", "", 1),
        ("Ableitung V3", "V3", 1),
        ("dérivation II", "II", 1),
        ("V 2", "V2", 1),
        ("II II", "", 1),
        ("I II", "", 1),
        ("I I", "", 1),
        ("resp", "", 1),
        ("", "", 1),
        ("-resp", "", 1),
        ("channel 2", "", 1),
    ],
)
def test_labels_of_the_world(label, lead, sign):
    found = read_label(label)
    assert (found.lead, found.sign) == (lead, sign)
    assert lead_of(label) == (lead if lead and sign > 0 else None)


@pytest.mark.parametrize(
    ("label", "pair"),
    [
        ("V5-RA", ("V5", "RA")),
        ("la/ll", ("LA", "LL")),
        ("R-L", ("RA", "LA")),
        ("c2-RF", ("V2", "RL")),
        ("RA-RA", ()),
        ("RA-X", ()),
        ("RA-LA-LL", ()),
    ],
)
def test_a_pair_of_electrodes_is_read_in_the_order_it_is_written(label, pair):
    assert read_label(label).pair == pair


def test_on_a_scalp_c3_is_no_chest_lead():
    assert [x.lead for x in read_labels(["C3", "C5"])] == ["V3", "V5"]
    assert [x.lead for x in read_labels(["Fp1", "C3", "EEG C4", "II"])] == ["", "", "", "II"]


@given(leads=st.lists(LEAD, min_size=1, max_size=12, unique=True), mark=st.sampled_from([",", "+", ", ", " , "]))
def test_a_list_of_leads_keeps_its_order(leads, mark):
    text = mark.join(lead.lower() for lead in leads)
    assert parse_leads(text) == tuple(leads) == parse_channels(text)


@pytest.mark.parametrize("text", ["", ",", " ", "I,I", "i,I", "II,aVR,avr"])
def test_an_empty_list_and_a_lead_twice_are_refused(text):
    with pytest.raises(UsageError, match="bad lead list"):
        parse_leads(text)
    with pytest.raises(UsageError, match="bad channel list"):
        parse_channels(text)


@pytest.mark.parametrize("name", ["V7", "IV", "", "lead", "-aVR"])
def test_an_unknown_lead_is_refused_with_the_twelve(name):
    with pytest.raises(UsageError, match="unknown lead") as e:
        lead_name(name)
    assert all(lead in e.value.fix for lead in LEADS)


@given(pair=PAIR, dash=st.sampled_from(["-", "\N{EN DASH}", "\N{MINUS SIGN}", " - "]))
def test_a_pair_has_its_positive_electrode_last(pair, dash):
    name = channel_name(pair.lower().replace("-", dash))
    assert name == pair and pair_of(name) == tuple(pair.split("-"))
    assert electrodes_of(name) == tuple(reversed(pair.split("-")))


@pytest.mark.parametrize("name", ["RA-RA", "RA-RL", "RA-", "-RA", "RA-LA-LL", "RA-X"])
def test_what_is_no_pair_is_refused_with_an_example(name):
    with pytest.raises(UsageError, match="is no pair of electrodes") as e:
        channel_name(name)
    assert "RA-V5 is V5 minus RA" in e.value.fix


def test_a_channel_that_is_none_may_be_skipped_where_that_is_allowed():
    assert parse_channels("I,-,II,-", skip=True) == ("I", "-", "II", "-")
    with pytest.raises(UsageError):
        parse_channels("I,-,II")
    with pytest.raises(UsageError, match="bad channel list") as e:
        parse_channels("-,-", skip=True)
    assert "skips a channel" in e.value.fix


@given(mask=st.integers(0, 2 ** len(ELECTRODES) - 1))
def test_a_lead_is_off_when_one_of_its_electrodes_is(mask):
    off = {e for k, e in enumerate(ELECTRODES) if mask >> k & 1}
    limb = {"I": "RA LA", "II": "RA LL", "III": "LA LL"}
    want = {lead for lead, needs in limb.items() if off & set(needs.split())}
    if off & {"RA", "LA", "LL"}:
        want |= set(LEADS[3:])
    want |= {lead for lead in LEADS[6:] if lead in off}
    assert lead_off_leads(mask) == want


def test_a_leg_electrode_that_only_drives_the_body_takes_no_lead_with_it():
    assert lead_off_leads(1 << ELECTRODES.index("RL")) == frozenset()
    assert lead_off_leads(1 << ELECTRODES.index("V2"), ("RA-V2", "RA-V5", "V3")) == {"RA-V2"}
