"""Published figures and the yardstick, to be compared inside a row only: protocols differ."""

from __future__ import annotations

from dataclasses import dataclass

LIMB, LEAD_I, LEAD_II = ("I", "II"), ("I",), ("II",)


@dataclass(frozen=True)
class Published:
    """One figure of somebody else.

    Attributes
    ----------
    inputs : tuple of str
        Measured leads; empty where no shipped model has the same.
    task, source, data, result : str
        As published.
    literature_band : bool
        Scored behind a zero-phase band-pass.
    """

    inputs: tuple[str, ...]
    task: str
    source: str
    data: str
    result: str
    literature_band: bool = False


PUBLISHED = (
    Published(
        LIMB,
        "I+II → V1–V6",
        "MorphRec (2025), 250 Hz, 9 s windows, 0.67–40 Hz zero phase",
        "PTB-XL",
        "RMSE .0759 .1471 .1514 .1192 .0842 .0631, mean .1068 mV; r .8863",
        True,
    ),
    Published(
        LIMB,
        "I+II → V1–V6",
        "plain U-Net, MorphRec's table",
        "PTB-XL",
        "RMSE .0804 .1569 .1622 .1276 .0897 .0661, mean .1138 mV; r .8695",
        True,
    ),
    Published(LIMB, "I+II → V1–V6", "EKGAN, MorphRec's table", "PTB-XL", "mean RMSE .1185 mV", True),
    Published(LIMB, "I+II → V1–V6", "AI_ECG (4.9 M masked transformer, 100 Hz)", "PTB-XL fold 10", "r .844"),
    Published(LEAD_I, "I → the other 7", "AI_ECG", "PTB-XL fold 10", "r .796"),
    Published(
        LEAD_I,
        "I → 11 others",
        "benchmark of 123 models (500 Hz, raw)",
        "PTB-XL fold 10",
        "r .748; II .715 V1 .791 V2 .774 V3 .740 V4 .767 V5 .803 V6 .782; 5th percentile .41",
    ),
    Published(LEAD_II, "II → 11 others", "benchmark of 123 models (500 Hz, raw)", "PTB-XL fold 10", "r .761"),
    Published(("I", "II", "V2"), "I+II+V2 → 5", "AI_ECG", "PTB-XL fold 10", "r .914"),
    Published(("I", "II", "V3"), "I+II+V3 → 5", "AI_ECG", "PTB-XL fold 10", "r .925"),
    Published(("I", "II", "V2", "V5"), "I+II+V2+V5 → 4", "AI_ECG", "PTB-XL fold 10", "r .937"),
    Published((), "one lead → 12", "MCMA (18 M)", "own split", "MSE .0317 mV², r .789; external .1034, .742"),
    Published(
        ("I", "II", "V2"),
        "I+II+V2, patient-specific linear",
        "ARSPL",
        "PTB, 39 subjects",
        "r .947, 55 µV; 10.7 % of cycles with ST error > 0.1 mV",
    ),
    Published(("I", "II", "V2"), "I+II+V2, population network", "FTDNN", "PTB", "r .861–.968, 123–245 µV"),
)

DATA_SETS = {
    "ptbdb": ("PTB Diagnostic ECG Database", "ptbdb:DIR", "r .857, RMSE .156 mV (65 records)"),
    "ludb": ("LUDB", "ludb:DIR", "r .858, RMSE .112 mV"),
    "cpsc2018": ("CPSC 2018", "cinc:DIR", "r .811"),
    "georgia": ("Georgia 12-lead", "cinc:DIR", "r .777"),
    "chapman": ("Chapman–Ningbo", "cinc:DIR", "r .783"),
}
"""File name part → name, what ``--data`` takes, and what a first network of I+II gave there
(263 k parameters, twelve epochs, never tuned)."""
