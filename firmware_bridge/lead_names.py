"""The twelve leads, the ten electrodes, pairs of electrodes, and how their names are read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

from ecg_edge.firmware_bridge.errors import UsageError

LEADS: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


ELECTRODES: tuple[str, ...] = ("RA", "LA", "LL", "RL", "V1", "V2", "V3", "V4", "V5", "V6")
"""Bit `k` of a lead-off mask is electrode ``ELECTRODES[k]``."""

SKIN: tuple[str, ...] = tuple(name for name in ELECTRODES if name != "RL")
"""Electrodes that measure; RL drives the body and is part of no lead."""


_LIMB = {
    "I": ("LA", "RA"),
    "II": ("LL", "RA"),
    "III": ("LL", "LA"),
    "aVR": ("RA", "LA", "LL"),
    "aVL": ("LA", "RA", "LL"),
    "aVF": ("LL", "RA", "LA"),
}


_PAIRS = frozenset(f"{a}-{b}" for a, b in permutations(SKIN, 2))
_BY_LOWER = {lead.lower(): lead for lead in LEADS}
_SKIN_BY_LOWER = {name.lower(): name for name in SKIN}
_ROMAN = {"d1": "I", "d2": "II", "d3": "III", "di": "I", "dii": "II", "diii": "III"}
_WORDS = re.compile(r"^(mdc ecg lead|mdc ecg elec potl|ecg lead|ekg lead|ecg|ekg|lead|ableitung|abl"
                    r"|d[eé]rivation|derivaci[oó]n|deriva[cç][aã]o|derivazione|afleiding|avledning"
                    r"|channel|ch)[ :.]+(?=\S)")  # fmt: skip
_ML = re.compile(r"^ml(?=i{1,3}$)")
_SPLIT = re.compile(r"d?i{1,3}( i{1,3})+")
"""``I II`` names two leads, and is not III."""
_REFERENCE = re.compile(r"(?<=\S)[ -]ref$")
_CHEST = re.compile(r"^c([1-6])$")
_EEG = re.compile(r"^(eeg )?(fp[12z]|f[3478z]|cz|p[34z]|o[12z]|t[3-6z]|a[12]|m[12])\b")
PROVENANCE = ("measured", "derived", "reconstructed")
_SAYS = {
    "interval": r"intervals?|uncertainty|confidence|std|sd|stdev|stddev|sigma|error|residual",
    "reconstructed": r"re[ck]onstr\w*|recon|synth(etic|esi[sz]ed|esis|)|est(im\w*)?|pred(icted|iction)?|inferred"
                     r"|imputed|interpolated|generated|modell?ed|virtual|geschätzt|not measured|unmeasured",
    "computed": r"calc(ulated)?|calcul\w*|comput\w*|berechnet",
    "derived": r"derived|dérivée?|derivad[oa]|derivat[oa]|abgeleitet",
    "measured": r"measured",
}  # fmt: skip
"""What words of a label say of a signal, the weakest claim first; between words stand blanks, dashes, dots or brackets.

``computed`` is algebra of a limb lead, and an estimate of any other."""
_SAID = {kind: re.compile(rf"(?<![^\W\d_])({words})(?![^\W\d_]|\d)(?!v[1-6])") for kind, words in _SAYS.items()}
_UNIT_WORD = re.compile(r"(?<=\S) ([mµunk]?v|microvolts?|millivolts?)$")
_ELECTRODES = {e.lower(): e for e in ELECTRODES} | {"r": "RA", "l": "LA", "f": "LL", "n": "RL", "lf": "LL", "rf": "RL"}
_ELECTRODES |= {f"c{k}": f"V{k}" for k in range(1, 7)}


@dataclass(frozen=True)
class LeadLabel:
    """What a signal's label says.

    Attributes
    ----------
    lead : str
        One of `LEADS`, or empty where the label names none of them. A recording that knows the order of a pair
        puts the channel here: ``RA-V5``.
    sign : int
        -1 for a lead that is written upside down (``-aVR``, Cabrera's sequence), else 1.
    provenance : str
        ``measured``, ``derived`` or ``reconstructed`` where the label says it (our own records do), in any of the
        words strangers use: ``V1_est``, ``V3 calculated``. Of two the weaker holds. Else empty.
    pair : tuple of str
        Positive and negative electrode of a label such as ``V5-RA``; else empty. Which lead a pair makes is not
        decided here: authors differ in which electrode they write first.
    """

    lead: str = ""
    sign: int = 1
    provenance: str = ""
    pair: tuple[str, ...] = ()
    interval: bool = False
    """Whether it is how uncertain a lead is (``interval V1``, ``V1 std``), and no lead."""


def read_label(label: str) -> LeadLabel:
    """Read a signal's label in any of the world's spellings.

    Parameters
    ----------
    label : str
        ``II``, ``AVR``, ``Lead II``, ``ECG II``, ``EKG II``, ``DII``, ``MLII``, ``MDC_ECG_LEAD_II``, ``-aVR``.
        ``C1`` (the chest leads' name in IEC 60601-2-25), ``V1 (reconstructed)``, ``I [mV]``, ``V5-RA`` …
    """
    text = unicodedata.normalize("NFKC", label).replace("\u2212", "-").strip()
    text, said = _without_claims(re.sub(r"(?<=[a-z]{4})(?=[A-Z])", " ", text).lower())
    text = _without_note(text)
    # Dots, dashes and underscores are blanks between words; a dash in front is a sign, one between electrodes a pair.
    words = re.sub(r"[\s_]+", " ", text).strip()
    words = _WORDS.sub("", re.sub(r"^(ecg|ekg|lead)-(?=\S)", r"\1 ", words)).strip()
    sign = -1 if words.startswith("-") else 1
    plain = _ML.sub("", words.lstrip("+-").strip())
    plain = _REFERENCE.sub("", plain)
    plain = "" if _SPLIT.fullmatch(plain) else _CHEST.sub(r"v\1", plain.replace(" ", ""))
    lead = _BY_LOWER.get(plain) or _ROMAN.get(plain, "")
    pair = () if lead else _pair(plain)
    if "interval" in said:
        return LeadLabel(interval=bool(lead or pair))
    return LeadLabel(lead, sign if lead else 1, _claim(said, lead, label), pair)


def lead_of(label: str) -> str | None:
    """Return the lead a label names, one of `LEADS`, or None: no lead, or one upside down (see `read_label`)."""
    found = read_label(label)
    return found.lead if found.lead and found.sign > 0 else None


def read_labels(labels: Sequence[str]) -> tuple[LeadLabel, ...]:
    """Read the labels of one record, where ``C3`` may be a chest lead, or a place on the scalp beside others."""
    scalp = any(_EEG.match(label.strip().lower()) for label in labels)
    return tuple(
        LeadLabel() if scalp and re.match(r"^(eeg )?c[34]\b", label.strip().lower()) else read_label(label)
        for label in labels
    )


def _without_claims(text: str) -> tuple[str, list[str]]:
    """Text without the words that say where a signal is from, and what they say, the weakest first."""
    plain, said = re.sub(r"[_\s]+", " ", text).strip(), []
    for kind, words in _SAID.items():
        if words.search(plain):
            said.append(kind)
            plain = words.sub(" ", plain)
    if not said:
        return text, []
    plain = re.sub(r"[\[{(]\W*[\])}]?$", "", plain.strip())
    plain = re.sub(r"\s+", " ", re.sub(r"[\s.,:;/-]+$|^[\s.,:;/]+|^-\s+|-(?=\s)", " ", plain)).strip()
    return _UNIT_WORD.sub("", plain), said


def _claim(said: list[str], lead: str, label: str) -> str:
    """Provenance of a label: the weakest of what its words say; a chest lead is algebra only where we wrote it so."""
    if not said:
        return ""
    algebra = lead in _LIMB or "(derived)" in label.lower()
    return said[0] if said[0] in PROVENANCE and said[0] != "derived" else "derived" if algebra else "reconstructed"


def _without_note(text: str) -> str:
    """Text without what stands in brackets behind it."""
    if text[:1] in "[{(":
        text = text[1:].rstrip(")]}")
    return re.sub(r"\s*[\[{(]", "(", text, count=1).partition("(")[0].strip()


def _pair(text: str) -> tuple[str, ...]:
    names = [_ELECTRODES.get(part, "") for part in re.split(r"[-–/]", text)]
    return tuple(names) if len(names) == 2 and all(names) and names[0] != names[1] else ()


def lead_name(name: str) -> str:
    """Return the canonical spelling of a lead name.

    Parameters
    ----------
    name : str
        Any that `lead_of` reads: ``"AVR"``, ``"v1"``, ``"i"``, ``"DII"``.

    Returns
    -------
    str
        One of `LEADS`.

    Raises
    ------
    UsageError
        The name is none of the twelve.
    """
    if lead := lead_of(name):
        return lead
    if (parts := name.split()) and all(found := [lead_of(part) for part in parts]):
        raise UsageError(f"{name!r} is no lead, but {len(parts)}", f"name each for itself: leads={tuple(found)!r}")
    raise UsageError(f"unknown lead {name!r}", f"use one of {', '.join(LEADS)}")


_LARGEST_WEIGHT = 100.0
SKIP = "-"
"""In a list of the leads of a source's channels: this one is none."""


def parse_leads(text: str) -> tuple[str, ...]:
    """Parse ``"I,II"`` into canonical lead names, refusing duplicates and an empty list."""
    leads = tuple(lead_name(part) for part in text.replace("+", ",").split(",") if part.strip())
    if not leads or len(set(leads)) != len(leads):
        raise UsageError(f"bad lead list {text!r}", "name each lead once, separated by commas: I,II")
    return leads


def fitted_name(label: str, weights: Sequence[float]) -> str:
    """Name of a channel whose place was fitted: its label and its weights over `SKIN`, which sum to zero.

    Examples
    --------
    >>> fitted_name("X", [-1, 0, 0, 0, 0, 0, 0, 1, 0])
    'X[-1 0 0 0 0 0 0 1 0]'
    """
    plain = re.sub(r"[\[\],+]", " ", label).strip() or "channel"
    mean = sum(weights) / len(weights)
    return f"{plain}[{' '.join(f'{w - mean:.4g}' for w in weights)}]"


def fitted_weights(name: str) -> tuple[float, ...]:
    """Weights over `SKIN` that a name of `fitted_name` carries; empty where it carries none."""
    label, bracket, rest = name.partition("[")
    try:
        found = tuple(float(w) for w in rest.removesuffix("]").split()) if bracket and name.endswith("]") else ()
    except ValueError:
        return ()
    good = label.strip() and len(found) == len(SKIN) and all(abs(w) < _LARGEST_WEIGHT for w in found) and any(found)
    return tuple(w - sum(found) / len(found) for w in found) if good else ()


def shown_name(name: str) -> str:
    """What people read of a channel's name: without the weights of a fitted place."""
    return name.partition("[")[0] if fitted_weights(name) else name


def pair_of(channel: str) -> tuple[str, str] | None:
    """Negative and positive electrode of a channel named as a pair, in that order; None for a lead."""
    negative, dash, positive = channel.partition("-")
    return (negative, positive) if dash and "[" not in channel else None


def channel_name(name: str) -> str:
    """Return the canonical spelling of a channel: a lead, or a pair of electrodes.

    Parameters
    ----------
    name : str
        Any case. ``"ra-v5"`` is V5 minus RA: the positive electrode stands last.

    Returns
    -------
    str
        One of `LEADS`, or two different names of `SKIN` with a hyphen between them.

    Raises
    ------
    UsageError
        Neither a lead nor such a pair.
    """
    if fitted_weights(name):
        return name
    parts = name.strip().replace("\N{EN DASH}", "-").replace("\N{MINUS SIGN}", "-").split("-")
    if len(parts) == 1:
        return lead_name(name)
    found = [_SKIN_BY_LOWER.get(part.strip().lower()) for part in parts]
    if len(found) != 2 or None in found or found[0] == found[1]:
        raise UsageError(
            f"{name!r} is no pair of electrodes",
            f"join two of {', '.join(SKIN)} by a hyphen, the positive one last: RA-V5 is V5 minus RA",
        )
    return f"{found[0]}-{found[1]}"


def known_channels(names: Iterable[str]) -> tuple[str, ...]:
    """Those of some canonical names that have a known place: leads and pairs of electrodes."""
    return tuple(name for name in names if name in LEADS or name in _PAIRS or fitted_weights(name))


def parse_channels(text: str, skip: bool = False) -> tuple[str, ...]:
    """Parse ``"RA-V2,RA-V5"`` or ``"I,II"`` into canonical names, refusing duplicates and an empty list.

    Parameters
    ----------
    text : str
        Names separated by commas or ``+``.
    skip : bool
        Whether `SKIP` may stand for a channel that is no lead: ``"I,-,II"``.

    Raises
    ------
    UsageError
        A name is unknown, stands twice, or there is none.
    """
    parts = [part.strip() for part in text.replace("+", ",").split(",") if part.strip()]
    channels = tuple(SKIP if skip and part == SKIP else channel_name(part) for part in parts)
    named = [channel for channel in channels if channel != SKIP]
    if not named or len(set(named)) != len(named):
        more = "; - skips a channel: I,-,II" if skip else ""
        raise UsageError(
            f"bad channel list {text!r}", f"name each channel once, separated by commas: RA-V2,RA-V5{more}"
        )
    return channels


def electrodes_of(channel: str) -> tuple[str, ...]:
    """Electrodes of a channel, the positive one first; a chest lead is taken against Wilson's terminal RA, LA, LL.

    Those of a channel whose place was fitted are not known: none.
    """
    if pair := pair_of(channel):
        return pair[1], pair[0]
    if fitted_weights(channel):
        return ()
    return _LIMB.get(channel) or (channel, "RA", "LA", "LL")


def electrode_bits(names: Iterable[str]) -> int:
    """Bit mask over `ELECTRODES`; names that are none do not count."""
    return sum(1 << ELECTRODES.index(name) for name in set(names) & set(ELECTRODES))


def lead_off_leads(mask: int, channels: tuple[str, ...] = LEADS) -> frozenset[str]:
    """Those of some channels that depend on an electrode whose lead-off bit is set in `mask`."""
    off = {name for k, name in enumerate(ELECTRODES) if mask >> k & 1}
    return frozenset(channel for channel in channels if off.intersection(electrodes_of(channel)))
