"""The rows of each study: which networks, trained how. All rows of a study see the same records and epochs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.unet import NetSpec

LOOKAHEADS_MS = (0, 40, 80, 120, 240, 480)
CHEST_PAIRS = (("V1", "V5"), ("V2", "V4"), ("V2", "V5"), ("V3", "V6"))
WIDTHS = (0.5, 1.0, 1.5)
STUDIES = ("gradowski2025", "lookahead", "width", "augmentation")
_QUIET: dict[str, float] = {"gain": 0.0, "band": 0.0, "noise_mv": 0.0}
AUGMENTATIONS: dict[str, dict[str, float]] = {
    "none": {},
    "gain": {"gain": 0.25},
    "other filters": {"band": 0.25},
    "coloured noise": {"noise_mv": 0.02, "colour": 1.0},
    "baseline wander": {"wander_mv": 0.2},
    "mains": {"mains_mv": 0.1},
    "muscle": {"muscle_mv": 0.1},
    "electrode motion": {"motion_mv": 0.2},
    "lead off": {"mask": 0.3},
    "electrodes moved": {"shift": 0.2},
}
"""Each alone; three rows more: the shipped models' first stage, what they have seen at the end, and all of these."""
_WORN = ("baseline wander", "mains", "muscle", "electrode motion")


@dataclass(frozen=True)
class StudyRow:
    """One network to train and score.

    Attributes
    ----------
    name : str
        File name of its result, without suffix.
    configuration : str
        What the row of the table is called.
    design : {"offline U-Net", "ours", "ours offline"}
        That of Gradowski & Buchner (2025); ours; ours with convolutions that look both ways.
    net, train : NetSpec, TrainSpec
        Shape and training.
    """

    name: str
    configuration: str
    design: str
    net: NetSpec
    train: TrainSpec


def configurations() -> tuple[tuple[str, ...], ...]:
    """The fifteen sets of measured leads of the study's kinds: limb leads, and one or two chest leads beside."""
    limb: tuple[tuple[str, ...], ...] = (("I",), ("II",), ("III",), ("I", "II"), ("I", "III"))
    one = tuple(("I", "II", f"V{k}") for k in range(1, 7))
    return (*limb, *one, *(("I", "II", *pair) for pair in CHEST_PAIRS))


def rows(study: str, epochs: int, smaller: bool = False) -> list[StudyRow]:
    """All rows of a study.

    Parameters
    ----------
    study : str
        One of `STUDIES`.
    epochs : int
        Of every row.
    smaller : bool
        Thin networks, to try the machinery.
    """
    spec = TrainSpec(epochs=epochs)
    thin = {"channels": (8, 8, 12, 16), "dilations": (1, 2), "n_features": 8} if smaller else {}
    base = NetSpec(("I", "II"), **thin)  # type: ignore[arg-type]
    if study == "gradowski2025":
        return [
            _design(leads, design, base, spec) for leads in configurations() for design in ("ours", "offline U-Net")
        ]
    if study == "lookahead":
        delays = [
            StudyRow(f"lookahead-{ms}", f"{ms} ms", "ours", replace(base, lookahead=ms * base.fs // 1000), spec)
            for ms in LOOKAHEADS_MS
        ]
        return [*delays, StudyRow("lookahead-offline", "offline", "ours offline", base, spec)]
    if study == "width":
        return [
            StudyRow(f"width-{w:g}", f"x{w:g}", "ours", _wide(base, w) if not smaller else base, spec) for w in WIDTHS
        ]
    together = {k: v for settings in AUGMENTATIONS.values() for k, v in settings.items()}
    worn = {k: v for name in _WORN for k, v in AUGMENTATIONS[name].items()}
    each = {name: {**_QUIET, **settings} for name, settings in AUGMENTATIONS.items()}
    return [
        StudyRow(f"augmentation-{name.replace(' ', '-')}", name, "ours", base, replace(spec, **how))  # type: ignore[arg-type]
        for name, how in {**each, "first stage": {}, "as shipped": worn, "all": together}.items()
    ]


def _wide(base: NetSpec, factor: float) -> NetSpec:
    """The same network with its channels times a factor, rounded to multiples of four."""
    channels = tuple(max(4, round(c * factor / 4) * 4) for c in base.channels)
    return replace(base, channels=channels, n_features=max(4, round(base.n_features * factor / 4) * 4))


def _design(leads: tuple[str, ...], design: str, base: NetSpec, spec: TrainSpec) -> StudyRow:
    text = "+".join(leads)
    if design == "offline U-Net":
        net = replace(base, input_leads=leads, lookahead=0)
        spec = replace(spec, crop=1000, warmup_samples=0)  # it sees whole records and knows no cold start
    else:
        net = replace(base, input_leads=leads)
    return StudyRow(
        f"{text.lower().replace('+', '-')}.{'ours' if design == 'ours' else 'unet'}", text, design, net, spec
    )
