"""The page in every layout, on both papers, with short and long words: geometry, words, scale."""

import io
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import twelve_from_basis
from ecg_edge.device.measurements.measure import measure_leads
from ecg_edge.device.page.compose import compose
from ecg_edge.device.page.content import PageContent, Strip
from ecg_edge.device.page.options import GRIDS, PageOptions
from ecg_edge.device.page.pdf import pdf
from ecg_edge.device.page.sheet import overlapping, wrapped
from ecg_edge.device.page.traces import STYLES
from ecg_edge.device.page.words import WARNING
from ecg_edge.firmware_bridge.lead_names import LEADS
from ecg_edge.train.intervals.known_beats import KnownBeats, make

FS = 100
KINDS = ("measured",) * 2 + ("derived",) * 4 + ("reconstructed",) * 6
LONG = "Maria-Magdalena Freifrau von Hohenstein-Wolkenburg zu Łódź und Österreich-Ungarn"
SHORT = PageContent(
    float(FS), {}, "Müller, Anna", "77", "1959-01-01", "female", "2026-11-28 14:03:22 CET (UTC+0100)", "Shimmer3",
    "RA LA LL, torso", "20261128T130312Z", "i-ii-int8.onnx (sha256 ecf4fb696a55…)", "", "0.5–40 Hz, notch 50 Hz",
)  # fmt: skip


def content(tall=1.0, half=0.12, kinds=KINDS, about=SHORT, notes=2):
    mv = make(KnownBeats(), FS, 10)[0] @ twelve_from_basis().T * tall
    halves = [half * abs(tall) if k == "reconstructed" else np.nan for k in kinds]
    widths = np.full(mv.shape, np.nan)
    widths[:] = halves
    m = measure_leads(mv, FS, LEADS, kinds, interval_mv=widths)
    strips = {x: (Strip(k, mv[:, j], widths[:, j]),) for j, (x, k) in enumerate(zip(LEADS, kinds, strict=True))}
    said = tuple(f"gap: {k}.000 s (250 samples) lost while the patch was out of reach" for k in range(notes))
    return replace(about, leads=strips, measurements=m, notes=said)


def mixed(whole):
    """Leads that were estimated for the second half."""
    first = np.arange(1000) < 500
    leads = {}
    for lead, (strip,) in whole.leads.items():
        a, b = np.where(first, strip.mv, np.nan), np.where(first, np.nan, strip.mv)
        leads[lead] = (Strip("measured", a, np.full(1000, np.nan)), Strip("reconstructed", b, np.full(1000, 0.2)))
    return replace(whole, leads=leads)


def short(whole):
    return replace(whole, leads={x: (Strip(s.kind, s.mv[:300], s.half[:300]),) for x, (s,) in whole.leads.items()})


SCENES = ("usual", "long", "tall", "no interval", "hospital", "nothing", "one lead", "another script", "no signal",
          "changed on the way", "three seconds", "upside down and wide")  # fmt: skip


@pytest.fixture(scope="module")
def contents():
    long = replace(
        SHORT, name=LONG, identifier="1234567890-ABCDEFGHIJKLMNOPQRSTUVWXYZ-0987654321", device="Shimmer3 " * 20,
        electrodes="RA below the right clavicle, LA below the left one, LL on the left iliac crest, N on the right",
        calibration="reconstructed, calibrated 2026-11-01 from a reference with a very long name that goes on.hea",
    )  # fmt: skip
    return {
        "usual": content(),
        "long": content(about=long, notes=40),
        "tall": content(tall=3.0),
        "no interval": content(half=np.nan),
        "hospital": content(kinds=("",) * 12, notes=0),
        "nothing": replace(SHORT, name="", identifier="", leads=content().leads, measurements=None),
        "one lead": content(kinds=("measured", *("reconstructed",) * 11)),
        "another script": content(about=replace(SHORT, name="Щербакова-Вознесенская Ανδρομάχη 王小明")),
        "no signal": replace(
            content(),
            leads={x: (Strip("measured", np.full(1000, np.nan), np.full(1000, np.nan)),) for x in LEADS},
            measurements=None,
        ),
        "changed on the way": mixed(content()),
        "three seconds": short(content()),
        "upside down and wide": content(tall=-2.5, half=1.5),
    }


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_no_text_lies_on_another_and_nothing_leaves_the_paper(contents, name, paper):
    for layout, (speed, gain, same) in product(GRIDS, [(25, 20, False), (50, 5, True), (25, 10, False)]):
        for sheet in compose(contents[name], PageOptions(paper, layout, speed, gain, same)):
            assert overlapping(sheet.texts) == [], (layout, speed, gain)
            for t in sheet.texts:
                a, b, c, d = t.box
                assert a >= 3 and b >= 3 and c <= sheet.width - 3 and d <= sheet.height - 3, t.words
            left, bottom, right, top = sheet.grid
            for area in sheet.areas:
                inside = np.isfinite(area.low)
                assert not inside.any() or (area.low[inside].min() >= bottom and area.high[inside].max() <= top)
            for line in sheet.lines:
                on = np.isfinite(line.y)
                assert not on.any() or (line.x[on].max() <= right + 0.1 and line.x[on].min() >= left - 0.1)
                assert not on.any() or (line.y[on].min() >= 3 and line.y[on].max() <= sheet.height - 3)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("layout", GRIDS)
def test_a_name_stands_above_its_own_trace_and_nearer_to_it_than_to_any_other(contents, name, layout):
    options = PageOptions(layout=layout)
    for sheet, rows in zip(compose(contents[name], options), options.sheets(contents[name].rhythm), strict=False):
        _, bottom, _, top = sheet.grid
        height = (top - bottom) / len(rows)
        bases = [top - (k + 0.55) * height for k in range(len(rows))]
        on_paper = [t for t in sheet.texts if bottom < t.y < top and not t.words.startswith("1 mV")]
        names = [t for t in on_paper if t.bold]
        assert sorted(t.words for t in names) == sorted(x for row in rows for x in row)
        for k, (base, row) in enumerate(zip(bases, rows, strict=True)):
            near = [t for t in on_paper if min(bases, key=lambda b, t=t: abs(b - t.y)) == base]
            assert sorted(t.words for t in near if t.bold) == sorted(row), k
            assert all(t.box[1] > base for t in near)


@pytest.mark.parametrize(("speed", "gain"), [(25, 10), (50, 10), (25, 5)])
def test_the_pulse_is_1_mv_and_200_ms_at_the_scale_that_is_stated(contents, speed, gain):
    (sheet,) = compose(contents["usual"], PageOptions(speed=speed, gain=gain))
    pulse = sheet.lines[0]
    assert np.ptp(pulse.y) == pytest.approx(gain)
    high = pulse.x[pulse.y == pulse.y.max()]
    assert np.ptp(high) == pytest.approx(0.2 * speed)
    words = " ".join(t.words for t in sheet.texts)
    assert "1 mV" in words and f"{speed} mm/s" in words and f"{gain} mm/mV" in words


def test_traces_are_at_scale(contents):
    (sheet,) = compose(contents["usual"], PageOptions())
    rhythm = next(x for x in reversed(sheet.lines) if len(x.x) == 10 * FS)
    assert np.ptp(rhythm.x) == pytest.approx(25 * (10 - 1 / FS))
    mv = contents["usual"].leads["II"][0].mv
    assert np.ptp(rhythm.y) == pytest.approx(10 * np.ptp(mv))


def test_columns_follow_each_other_or_show_the_same_seconds_as_is_said(contents):
    for same in (False, True):
        (sheet,) = compose(contents["usual"], PageOptions(simultaneous=same))
        first, second = [x for x in sheet.lines if len(x.x) == 250][:2]
        i, avr = (contents["usual"].leads[x][0].mv for x in ("I", "aVR"))
        start = 0 if same else 250
        assert np.allclose(np.diff(first.y), 10 * np.diff(i[:250]))
        assert np.allclose(np.diff(second.y), 10 * np.diff(avr[start : start + 250]))
        assert any(("simultaneous" if same else "sequential") in t.words for t in sheet.texts)


def test_a_tall_wave_is_marked_where_it_is_cut_and_the_page_says_so(contents):
    (usual,), (tall,) = (compose(contents[n], PageOptions(gain=5)) for n in ("usual", "tall"))
    assert not any("cut" in t.words for t in usual.texts)
    assert any("cut" in t.words for t in tall.texts)
    triangles = [x for x in tall.lines if len(x.x) == 4 and x.x[0] == x.x[3]]
    assert triangles
    (half,) = compose(contents["usual"], PageOptions(gain=5))
    assert not [x for x in half.lines if len(x.x) == 4 and x.x[0] == x.x[3]]


def test_names_and_notes_are_whole(contents):
    sheets = compose(contents["long"], PageOptions())
    assert "ID1234567890-ABCDEFGHIJKLMNOPQRSTUVWXYZ-0987654321" in "".join(
        "".join(t.words for t in sheets[0].texts).split()
    )
    assert LONG in " ".join(t.words for t in sheets[0].texts)
    last = " ".join(t.words for t in sheets[-1].texts)
    assert len(sheets) == 2 and all(n in last for n in contents["long"].notes)


def test_twelve_rows_take_two_pages_and_say_so(contents):
    sheets = compose(contents["usual"], PageOptions(layout="12x1"))
    assert [any(f"page {k} of 2" in t.words for t in s.texts) for k, s in enumerate(sheets, 1)] == [True, True]


def test_what_must_be_said_is_said(contents):
    (sheet,) = compose(contents["usual"], PageOptions())
    words = " ".join(t.words for t in sheet.texts)
    for said in ("77", "1959-01-01", "female", "UTC+0100", "Shimmer3", "torso", "0.5–40 Hz, notch 50 Hz", "QTc Bazett",
                 "not identifiable", "calibration: none", WARNING, "90 % interval"):  # fmt: skip
        assert said in words, said
    warning = next(t for t in sheet.texts if t.words == WARNING)
    assert warning.size >= 12 and warning.bold
    assert WARNING not in " ".join(t.words for t in compose(contents["hospital"], PageOptions())[0].texts)


def test_figures_of_leads_that_are_not_stated_say_so(contents):
    words = " ".join(t.words for t in compose(contents["hospital"], PageOptions())[0].texts)
    assert "aVF V1 V2 V3 V4 V5 V6, provenance not stated, " in words and "Check against the trace" in words
    assert "measured" not in words.replace("thick: measured", "")
    usual = " ".join(t.words for t in compose(contents["usual"], PageOptions())[0].texts)
    assert "provenance not stated" not in usual


def test_without_colour_an_estimate_is_told_by_its_band_its_width_and_its_word(contents):
    (sheet,) = compose(contents["usual"], PageOptions())
    assert len(sheet.areas) == 6 and all(len({a.color[k : k + 2] for k in (1, 3, 5)}) > 1 for a in sheet.areas)
    assert STYLES["measured"][1] > STYLES["reconstructed"][1] > STYLES["derived"][1]
    assert sum(t.words == "reconstructed" for t in sheet.texts) == 6


def test_a_word_wider_than_a_line_is_cut_not_lost():
    lines = wrapped("x" * 300, 40, 8)
    assert "".join(lines) == "x" * 300 and len(lines) > 3


def test_the_pdf_is_text_and_vectors(contents):
    pypdf = pytest.importorskip("pypdf")
    data = pdf(compose(contents["long"], PageOptions("letter", "12x1")), "ECG of Łódź")
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    text = " ".join(" ".join(p.extract_text().split()) for p in pages)
    assert "Łódź" in text and "not for diagnosis" in text and "QTc Fridericia" in text
    assert [round(float(v) / 72 * 25.4, 1) for v in pages[0].mediabox[2:]] == [279.4, 215.9]
    assert not any(len(p.images) for p in pages)


def test_the_png_has_the_papers_size(contents):
    pytest.importorskip("matplotlib")
    from ecg_edge.device.page.draw import png

    data = png(compose(contents["usual"], PageOptions())[0], 50)
    assert int.from_bytes(data[16:20], "big") == pytest.approx(297 / 25.4 * 50, abs=1)


def test_letters_without_a_glyph_stay_text_and_control_characters_do_no_harm(contents):
    pypdf = pytest.importorskip("pypdf")
    about = replace(contents["usual"], name="王小明 A\u030asa\x00\n(\\) 𝒳", identifier="<77>")
    page = pypdf.PdfReader(io.BytesIO(pdf(compose(about, PageOptions()), "王\ud800"))).pages[0]
    text = page.extract_text()
    assert "王小明 Åsa (\\) 𝒳" in " ".join(text.split()) and "<77>" in text


def test_the_same_page_is_the_same_file(contents):
    first, second = (pdf(compose(contents["usual"], PageOptions()), "x") for _ in range(2))
    assert first == second and len(first) < 150_000


@pytest.mark.parametrize("layout", GRIDS)
def test_every_object_of_the_file_is_where_its_table_says(contents, layout):
    data = pdf(compose(contents["long"], PageOptions(layout=layout)), "x")
    at = int(data.split(b"startxref\n")[1].split()[0])
    rows = data[at:].split(b"trailer")[0].split(b"\n")[3:-1]
    assert [data[int(r.split()[0]) :].split(b" obj")[0] for r in rows] == [b"%d 0" % k for k in range(1, len(rows) + 1)]
