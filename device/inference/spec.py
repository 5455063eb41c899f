"""The model's description of itself, carried inside the model file under the key ``ecg_edge``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.lead_subset import LeadSubset
from ecg_edge.device.inference.packed_arrays import pack_array, pack_symmetric, unpack_array, unpack_symmetric
from ecg_edge.device.lead_algebra import BASIS, missing_basis
from ecg_edge.firmware_bridge.array_types import FloatArray, same_contents
from ecg_edge.firmware_bridge.errors import ModelFileError, UsageError
from ecg_edge.firmware_bridge.lead_names import channel_name

METADATA_KEY = "ecg_edge"
FORMAT = 1
_MAX_STATE = 1_000_000
_DTYPES = {"float32": np.float32, "uint8": np.uint8, "int8": np.int8}


@dataclass(frozen=True)
class StateSpec:
    """One pair of state tensors ``name`` → ``name_out``: same shape, dtype, scale and zero point on both ends.

    Attributes
    ----------
    shape : tuple of int
        (batch, channel, frame) in ONNX, (batch, 1, frame, channel) in TFLite.
    dtype : str
        ``float32``, ``uint8`` or ``int8``.
    scale, zero_point : float, int
        ``value = (q - zero_point) * scale``; 1 and 0 for float32. A cold start is filled with the
        zero point, which equals zero padding.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float = 1.0
    zero_point: int = 0

    @property
    def out(self) -> str:
        """Name of the tensor that leaves the graph."""
        return self.name + "_out"

    def initial(self) -> npt.NDArray[Any]:
        """Return the tensor of a cold start."""
        return np.full(self.shape, self.zero_point, dtype=_DTYPES[self.dtype])


@dataclass(frozen=True)
class Head:
    """The float head: linear in its regressors.

    The regressors of the output instant ``t`` stand in this order (`inference.head.RegressorLayout`). First the body's
    features, then the inputs at ``t``, then for each lag of `lags` the inputs at ``t + lag``, then a one.

    Attributes
    ----------
    lags : tuple of int
        In samples relative to the output instant; none later than the look-ahead.
    mean : ndarray of float32, shape (n_regressors, n_targets)
        Weights of the mean, in mV per regressor.
    log_scale : ndarray of float32, shape (n_regressors, n_targets)
        Weights of the natural logarithm of the scale in mV.
    moments : ndarray of float32, shape (n_regressors, n_regressors)
        Mean of the outer product of the regressors over the training records.
    interval_level : float
        Probability the stated interval is calibrated for.
    interval_factors : ndarray of float32, shape (n_targets,)
        The interval is mean ± factor × scale.
    shrink : ndarray of float32, shape (n_regressors, n_targets), or None
        How much of what one recording of a person teaches holds on the next, per direction (an
        eigenvector of the moments) and target: see `personal_calibration.fit.fit`.
    """

    lags: tuple[int, ...]
    mean: npt.NDArray[np.float32]
    log_scale: npt.NDArray[np.float32]
    moments: npt.NDArray[np.float32]
    interval_level: float
    interval_factors: npt.NDArray[np.float32]
    shrink: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, repr=False, eq=False)
class ModelSpec:
    """Everything the device must know to run a model and to say what it is.

    Attributes
    ----------
    kind : str
        ``streaming`` (one hop at a time with explicit state) or ``offline``.
    input_leads, target_leads : tuple of str
        Measured leads in channel order; basis leads the head predicts.
    fs : int
        Rate in Hz.
    hop, lookahead, receptive_field : int
        In samples.
    settling_s : float
        Time after a reset until the error is within 5 % of its steady state, measured.
    n_features : int
        Channels of the body's output.
    ridge : dict of str to ndarray
        Baselines: ``"1"`` and ``"31"`` taps → weights of shape (n_inputs * taps, n_targets). They are ordered tap by
        tap from the earliest, leads within a tap.
    quantisation, training, accuracy : dict
        Free-form records of how the file was made and how well it does.
    model_id : str
        SHA-256 of the folded fp32 body and head: the same in every file made from one training run.
    any_lead : bool
        Accepts every set of basis leads; `device.inference.any_lead.for_leads` makes a model of fixed leads of it.
    subsets : tuple of LeadSubset
        Lead sets of an any-lead model whose interval was calibrated.
    covariance : ndarray of float64, shape (8, 8)
        Second moments of the basis leads in the population, in mV²: such a model accepts channels between any
        electrodes, see `device.placement.guess`. Of shape (0, 0) for every other model.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> spec = ee.load_model("i-ii-int8").spec
    >>> spec.target_leads, spec.precision, spec.head.interval_level
    (('V1', 'V2', 'V3', 'V4', 'V5', 'V6'), 'int8', 0.9)
    >>> round(1000 * spec.algorithmic_latency_s)  # in milliseconds
    190
    """

    kind: str
    input_leads: tuple[str, ...]
    target_leads: tuple[str, ...]
    fs: int
    hop: int
    lookahead: int
    receptive_field: int
    settling_s: float
    n_features: int
    states: tuple[StateSpec, ...]
    head: Head
    conditioning: ConditioningSpec
    model_id: str
    ridge: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    quantisation: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    any_lead: bool = False
    subsets: tuple[LeadSubset, ...] = ()
    covariance: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def __eq__(self, other: object) -> bool:
        return same_contents(self, other)

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def __repr__(self) -> str:
        reads, gives = ", ".join(self.input_leads), ", ".join(self.target_leads)
        return f"<ModelSpec {self.precision} at {self.fs} Hz: {reads} to {gives}; {self.model_id[:12]}>"

    @property
    def any_electrode(self) -> bool:
        """Whether it accepts channels between any electrodes."""
        return self.any_lead and self.covariance.size > 0

    @property
    def algorithmic_latency_s(self) -> float:
        """(hop + lookahead - 1) / fs in seconds."""
        return (self.hop + self.lookahead - 1) / self.fs

    @property
    def n_inputs(self) -> int:
        """Channels of the graph's input: the leads, and of an any-lead model their masks or known shares."""
        return len(self.input_leads) * (2 if self.any_lead else 1)

    @property
    def n_regressors(self) -> int:
        """Features, inputs at the output instant, taps, and one bias."""
        return self.n_features + len(self.input_leads) * (1 + len(self.head.lags)) + 1

    @property
    def precision(self) -> str:
        """Number format of the body: ``fp32`` or ``int8``."""
        return str(self.quantisation.get("precision", "fp32"))

    def to_json(self) -> str:
        """Serialise for the model file."""
        h = self.head
        doc = {
            "format": FORMAT,
            "kind": self.kind,
            "units": "mV",
            "input_leads": list(self.input_leads),
            "target_leads": list(self.target_leads),
            "fs": self.fs,
            "hop": self.hop,
            "lookahead": self.lookahead,
            "receptive_field": self.receptive_field,
            "settling_s": self.settling_s,
            "n_features": self.n_features,
            "states": [
                {
                    "name": s.name,
                    "shape": list(s.shape),
                    "dtype": s.dtype,
                    "scale": s.scale,
                    "zero_point": s.zero_point,
                }
                for s in self.states
            ],
            "head": {
                "lags": list(h.lags),
                "mean": pack_array(h.mean),
                "log_scale": pack_array(h.log_scale),
                "moments": pack_symmetric(h.moments),
                "interval_level": h.interval_level,
                "interval_factors": pack_array(h.interval_factors),
            },
            "ridge": {k: pack_array(v) for k, v in self.ridge.items()},
            "conditioning": self.conditioning.to_dict(),
            "quantisation": self.quantisation,
            "training": self.training,
            "accuracy": self.accuracy,
            "licence": self.licence,
            "model_id": self.model_id,
        }
        if h.shrink is not None:
            doc["head"] |= {"shrink": pack_array(h.shrink)}  # type: ignore[operator]
        if self.any_lead:
            doc |= {"any_lead": True, "subsets": [s.to_dict() for s in self.subsets]}
        if self.any_electrode:
            doc |= {"covariance": self.covariance.tolist()}
        return json.dumps(doc, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Parse and check a description.

        Raises
        ------
        ModelFileError
            Not JSON, another format version, a field missing, or fields that contradict each other.
        UsageError
            `text` is none.
        """
        if not isinstance(text, str):
            raise UsageError(f"text={type(text).__name__} is no text", "pass what to_json returned")
        try:
            doc = json.loads(text)
            if doc["format"] != FORMAT:
                raise ModelFileError(
                    f"model format {doc['format']}, this build reads {FORMAT}", "update ecg-edge, or export again"
                )
            spec = _parse(doc)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, UsageError) as e:
            raise ModelFileError(f"the model's description is damaged: {e!r}", "export the model again") from e
        _check(spec)
        return spec


def _parse(doc: dict[str, Any]) -> ModelSpec:
    head = doc["head"]
    return ModelSpec(
        kind=str(doc["kind"]),
        input_leads=tuple(channel_name(x) for x in doc["input_leads"]),
        target_leads=tuple(channel_name(x) for x in doc["target_leads"]),
        fs=int(doc["fs"]),
        hop=int(doc["hop"]),
        lookahead=int(doc["lookahead"]),
        receptive_field=int(doc["receptive_field"]),
        settling_s=float(doc["settling_s"]),
        n_features=int(doc["n_features"]),
        states=tuple(
            StateSpec(
                str(s["name"]),
                tuple(int(n) for n in s["shape"]),
                str(s["dtype"]),
                float(s["scale"]),
                int(s["zero_point"]),
            )
            for s in doc["states"]
        ),
        head=Head(
            tuple(int(n) for n in head["lags"]),
            unpack_array(head["mean"]),
            unpack_array(head["log_scale"]),
            unpack_symmetric(head["moments"]),
            float(head["interval_level"]),
            unpack_array(head["interval_factors"]),
            unpack_array(head["shrink"]) if "shrink" in head else None,
        ),
        ridge={str(k): unpack_array(v) for k, v in doc["ridge"].items()},
        conditioning=ConditioningSpec.from_dict(doc["conditioning"]),
        quantisation=dict(doc["quantisation"]),
        training=dict(doc["training"]),
        accuracy=dict(doc["accuracy"]),
        licence=str(doc["licence"]),
        model_id=str(doc["model_id"]),
        any_lead=bool(doc.get("any_lead", False)),
        subsets=tuple(LeadSubset.from_dict(s) for s in doc.get("subsets", [])),
        covariance=np.array(doc["covariance"], np.float64) if "covariance" in doc else np.zeros((0, 0)),
    )


def _check(spec: ModelSpec) -> None:
    n_reg, n_out = spec.n_regressors, len(spec.target_leads)
    expected = BASIS if spec.any_lead and spec.input_leads == BASIS else missing_basis(spec.input_leads)
    taps = 1 + len(spec.head.lags)
    rules = [
        (spec.kind in ("streaming", "offline"), f"unknown kind {spec.kind!r}"),
        (spec.target_leads == expected, "target leads are not the missing basis leads"),
        (0 < len(spec.input_leads) <= len(BASIS) and n_out > 0, "bad number of leads"),
        (10 <= spec.fs <= 10_000, f"rate {spec.fs} Hz out of range"),
        (1 <= spec.hop <= 4096 and 0 <= spec.lookahead <= 4096, "hop or look-ahead out of range"),
        (0 <= spec.settling_s <= 60, "settling time out of range"),
        (1 <= spec.n_features <= 1024, "number of features out of range"),
        (all(-4096 <= lag <= spec.lookahead for lag in spec.head.lags), "an input tap lies beyond the look-ahead"),
        (spec.head.mean.shape == (n_reg, n_out), "head has the wrong shape"),
        (spec.head.shrink is None or spec.head.shrink.shape == (n_reg, n_out), "shrink factors have the wrong shape"),
        (spec.head.log_scale.shape == (n_reg, n_out), "scale head has the wrong shape"),
        (
            spec.head.moments.shape == ((0, 0) if spec.any_lead else (n_reg, n_reg)),
            "second moments have the wrong shape",
        ),
        (spec.head.interval_factors.shape == (n_out,), "interval factors have the wrong shape"),
        (len({s.name for s in spec.states}) == len(spec.states), "two states share a name"),
        (spec.conditioning.highpass_hz * 2 < spec.fs, "high-pass beyond half the rate"),
    ]
    rules += [
        (
            s.dtype in _DTYPES
            and len(s.shape) in (3, 4)
            and all(n > 0 for n in s.shape)
            and math.prod(s.shape) <= _MAX_STATE
            and math.isfinite(s.scale)
            and s.scale > 0,
            f"state {s.name!r} is malformed",
        )
        for s in spec.states
    ]
    if spec.covariance.size:
        rules.append((spec.any_electrode and _is_covariance(spec.covariance), "the population's covariance is none"))
    rules += [
        (s.fits(spec.n_features, taps, spec.any_electrode), f"lead set {'+'.join(s.leads)} is malformed")
        for s in spec.subsets
    ]
    for ok, what in rules:
        if not ok:
            raise ModelFileError(f"the model's description contradicts itself: {what}", "export the model again")


def _is_covariance(x: FloatArray) -> bool:
    """Whether it is of the basis leads, symmetric, and positive definite."""
    square = x.shape == (len(BASIS),) * 2
    return square and bool(np.isfinite(x).all() and (x == x.T).all() and np.linalg.eigvalsh(x)[0] > 0)


@dataclass(frozen=True)
class Personal:
    """What the stream needs to weigh a refitted head against the model's own.

    Attributes
    ----------
    mean : ndarray of float32, shape (n_regressors, n_targets)
        The model's own head.
    interval_factors : ndarray of float32, shape (n_targets,)
        The model's own.
    covariance : ndarray of float32, shape (n_inputs, n_inputs)
        Second moments of the measured leads in the reference, mV².
    full, none : float
        Divergence up to which the refitted head counts in full, and from which it does not count.
    """

    mean: npt.NDArray[np.float32]
    interval_factors: npt.NDArray[np.float32]
    covariance: npt.NDArray[np.float32]
    full: float
    none: float
