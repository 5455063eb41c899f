"""Recipes: one commented YAML file describes how a model is trained; all its mistakes are reported together."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.errors import MissingExtraError, UsageError
from ecg_edge.firmware_bridge.lead_names import pair_of, parse_channels
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.unet import NetSpec

SHIPPED = Path(__file__).parents[1] / "recipes"
GIVEN_BY_LEADS = {"input_leads", "any_lead", "any_electrode"}
_KEYS = ("name", "leads", "init", "teachers", "data", "network", "training")
_DATA = ("ptb-xl", "ptb-xl-500")
_AT_LEAST_ONE = ("epochs", "batch", "crop", "fs", "n_features", "mixes")
_NOT_NEGATIVE = (
    "lookahead",
    "warmup_samples",
    "taps_before",
    "patience",
    "noise_mv",
    "gain",
    "weight_decay",
    "shift",
    "stretch",
    "mix",
    "diagnosis",
    "field",
    "warp",
    "minutes",
)


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    Attributes
    ----------
    name : str
        Of the run folder.
    net, train : NetSpec, TrainSpec
        Shape and training.
    init : str
        Name of the recipe whose weights it starts from, or a run folder; empty for a fresh start.
    data : str
        ``ptb-xl`` (the archive at 100 Hz, resampled where the network's rate is another) or ``ptb-xl-500``.
    teachers : tuple of str
        Whom it learns from in place of the truth: names of recipes, run folders or model files.
    """

    name: str
    net: NetSpec
    train: TrainSpec
    init: str = ""
    data: str = "ptb-xl"
    teachers: tuple[str, ...] = ()


@dataclass
class _Draft:
    """A recipe while its mistakes are being collected."""

    name: str
    leads: object = None
    init: object = ""
    data: object = "ptb-xl"
    teachers: object = ()
    net: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(p.stem for p in SHIPPED.glob("*.yaml"))


def find(text: str) -> Path:
    """The file of a recipe, given its path or the name of a shipped one.

    Raises
    ------
    UsageError
        There is none.
    """
    for path in (Path(text), SHIPPED / f"{text}.yaml"):
        if path.is_file():
            return path
    raise UsageError(f"no recipe {text}", f"give a .yaml file, or one of {', '.join(shipped())}")


def read(path: Path, settings: list[str] | None = None) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : Path
        YAML.
    settings : list of str, optional
        ``key=value`` pairs that override it.

    Raises
    ------
    UsageError
        All that is wrong with it, in one message.
    """
    draft = _Draft(path.stem)
    document = _load(path)
    if not isinstance(document, dict):
        raise UsageError(f"{path} is not a recipe", "see the shipped ones: ecg-edge train -h")
    for key in document:
        if key not in _KEYS:
            draft.wrong.append(f"unknown key {key!r} (there are: {', '.join(_KEYS)})")
    draft.name = str(document.get("name") or path.stem)
    draft.leads, draft.init = document.get("leads"), document.get("init") or ""
    draft.data = document.get("data") or "ptb-xl"
    draft.teachers = document.get("teachers") or []
    for key, kind, found in (("network", NetSpec, draft.net), ("training", TrainSpec, draft.train)):
        section = document.get(key) or {}
        if not isinstance(section, dict):
            draft.wrong.append(f"{key} is not a list of settings")
            continue
        for name, value in section.items():
            _take(draft, found, kind, str(name), value)
    return _finish(draft, settings or [], f"in {path.name} or --set")


def from_leads(leads: str, settings: list[str], name: str = "") -> Recipe:
    """Return the defaults for some leads, with ``key=value`` pairs on top; raises as `read`."""
    return _finish(_Draft(name or leads.replace(",", "-").lower(), leads), settings, "after --set")


def _load(path: Path) -> object:
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("pyyaml", "train") from None
    try:
        return yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise UsageError(f"cannot read {path}: {e}", "a recipe is a YAML file") from e


def _finish(draft: _Draft, settings: list[str], where: str) -> Recipe:
    """Apply settings, look at everything, build the recipe."""
    for pair in settings:
        key, _, text = pair.partition("=")
        for kind, found in ((NetSpec, draft.net), (TrainSpec, draft.train)):
            if key in kind.__dataclass_fields__ and key not in GIVEN_BY_LEADS:
                _take(draft, found, kind, key, text)
                break
        else:
            names = sorted(f.name for k in (NetSpec, TrainSpec) for f in fields(k) if f.name not in GIVEN_BY_LEADS)
            draft.wrong.append(f"unknown setting {key!r} (there are: {', '.join(names)})")
    leads, every = _leads(draft)
    for name, value in (*draft.net.items(), *draft.train.items()):
        if name in _AT_LEAST_ONE and value < 1:
            draft.wrong.append(f"{name}: {value} is less than 1")
        if name in _NOT_NEGATIVE and value < 0:
            draft.wrong.append(f"{name}: {value} is negative")
    train = TrainSpec(**draft.train)
    net = NetSpec(leads or ("I",), **{**draft.net, "any_lead": every != "", "any_electrode": every == "any-electrode"})
    if not train.lr > 0:
        draft.wrong.append(f"lr: {train.lr} is not positive")
    if not 0 <= train.keep < 1:
        draft.wrong.append(f"keep: {train.keep} is no share from 0 to below 1")
    if not 0 < train.ema < 1:
        draft.wrong.append(f"ema: {train.ema} is not between 0 and 1")
    if len(net.channels) != len(net.kernels):
        draft.wrong.append(f"{len(net.channels)} channels but {len(net.kernels)} kernels")
    if len(net.channels) < 2:
        draft.wrong.append(f"channels: {net.channels[0]} alone is one level, and a U-Net has two or more")
    if net.decoder_kernel % 2 == 0:
        draft.wrong.append(f"decoder_kernel: {net.decoder_kernel} is even")
    if train.warmup_samples + net.lookahead >= train.crop:
        draft.wrong.append(f"a crop of {train.crop} leaves nothing behind warm-up and look-ahead")
    if draft.data not in _DATA:
        draft.wrong.append(f"data: {draft.data!r} (there are: {', '.join(_DATA)})")
    named = isinstance(draft.teachers, list | tuple) and all(isinstance(t, str) for t in draft.teachers)
    teachers = tuple(draft.teachers) if named else ()  # type: ignore[arg-type]
    if not named:
        draft.wrong.append("teachers: a list of names")
    if teachers and every:
        draft.wrong.append(f"teachers: a network of {every} leads learns from the truth alone")
    if draft.wrong:
        raise UsageError("; ".join(draft.wrong), f"mend it {where}; lists are written as 24,32,64,96")
    return Recipe(draft.name, net, train, str(draft.init), str(draft.data), teachers)


def _leads(draft: _Draft) -> tuple[tuple[str, ...], str]:
    """Measured channels, and ``any`` or ``any-electrode`` where every choice of them will do."""
    text = ",".join(map(str, draft.leads)) if isinstance(draft.leads, list) else str(draft.leads or "")
    if text in ("any", "any-electrode"):
        return BASIS, text
    if not text:
        draft.wrong.append("leads: which are measured?")
        return (), ""
    try:
        channels = parse_channels(text)
    except UsageError as e:
        draft.wrong.append(e.message)
        return (), ""
    if odd := [name for name in channels if name not in BASIS and not pair_of(name)]:
        choice = f"{', '.join(BASIS)}, or a pair of electrodes: RA-V5"
        draft.wrong.append(f"cannot train on {', '.join(odd)} (choose from {choice})")
    elif not missing_basis(channels):
        draft.wrong.append("nothing is left to reconstruct from these leads")
    return channels, ""


def _take(draft: _Draft, found: dict[str, Any], kind: type[Any], name: str, value: object) -> None:
    """Convert one setting to the type of its default, or note what is wrong with it."""
    spec = kind.__dataclass_fields__.get(name)
    if spec is None or name in GIVEN_BY_LEADS:
        names = ", ".join(f.name for f in fields(kind) if f.name not in GIVEN_BY_LEADS)
        draft.wrong.append(f"unknown setting {name!r} (there are: {names})")
        return
    try:
        found[name] = _convert(value, spec.default)
    except (TypeError, ValueError):
        draft.wrong.append(f"{name}: {value!r} is not a {_called(spec.default)}")


def _convert(value: object, default: object) -> object:
    if isinstance(default, tuple):
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list) or not parts:
            raise TypeError
        return tuple(int(t) for t in parts)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    if isinstance(default, int):
        if isinstance(value, float) and value != int(value):
            raise TypeError
        return int(value)
    return float(value)


def _called(default: object) -> str:
    return "list of whole numbers" if isinstance(default, tuple) else type(default).__name__
