"""A model that accepts every set of leads or channels, seen as a model of the ones that are there.

The graph of an any-lead model has sixteen inputs: the eight basis leads (0 where absent) and eight masks. That of an
any-electrode model has the channels' best guess of the eight, and the share of each that is known from them. The head
predicts all eight. A stream needs what it needs of any other model. So the view below has fixed leads, and the rows and
columns of the head that belong to them. Behind guesses it has the head's weights of the channels themselves: a guess is
a linear combination of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.backend import Backend, State
from ecg_edge.device.inference.head import RegressorLayout, layout_of
from ecg_edge.device.inference.lead_subset import LeadSubset
from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.shipped import PLACES_FIX
from ecg_edge.device.inference.spec import Head, ModelSpec
from ecg_edge.device.lead_algebra import BASIS, independent, leads_known, missing_basis, of_basis, span_solution
from ecg_edge.device.placement import guess_from
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.errors import LeadMismatchError
from ecg_edge.firmware_bridge.lead_names import known_channels


def for_leads(model: Model, leads: tuple[str, ...]) -> Model:
    """Return a model of these leads; a model of fixed leads is returned as it is.

    Parameters
    ----------
    model : Model
        Any.
    leads : tuple of str
        Measured leads or channels, in any order; basis leads that follow from them are used as well. Names without
        a known place are passed over.

    Raises
    ------
    LeadMismatchError
        Nothing to reconstruct from, or nothing left to reconstruct.
    """
    if not model.spec.any_lead:
        return model
    if model.spec.any_electrode:
        spec = channel_view(model.spec, leads)
        found = guess_from(spec.input_leads, model.spec.covariance)
        guessed = GuessedInputs(model.backend, found.matrix, found.known)
        known_set = _spanning(model.spec, spec.input_leads) is not None
        return replace(model, spec=spec, backend=guessed, interval_calibrated=known_set, whole=model)
    spec = view(model.spec, (*leads, *(lead for lead in leads_known(leads) if lead not in leads)))
    listed = listed_subset(model.spec, spec.input_leads) is not None
    backend = MaskedInputs(model.backend, spec.input_leads)
    return replace(model, spec=spec, backend=backend, interval_calibrated=listed, whole=model)


def listed_subset(spec: ModelSpec, leads: tuple[str, ...]) -> LeadSubset | None:
    """Return what an any-lead file knows of these leads, in any order; None where it does not list them."""
    return next((s for s in spec.subsets if set(s.leads) == set(leads)), None)


def view(spec: ModelSpec, leads: tuple[str, ...]) -> ModelSpec:
    """Describe an any-lead model as one of fixed leads; see `for_leads`.

    For a set that is not listed in the file the interval is the widest of the listed ones.
    """
    there = tuple(lead for lead in leads if lead in BASIS)
    hidden = missing_basis(there)
    if not there or not hidden:
        raise LeadMismatchError(
            f"an any-lead model needs one to seven of {', '.join(BASIS)}; the source has {', '.join(leads) or 'none'}",
            "name the source's channels: leads=(...) (--leads)",
        )
    columns = [BASIS.index(lead) for lead in hidden]
    rows = _regressor_rows(spec, there)
    listed = listed_subset(spec, there)
    factors: npt.NDArray[np.float32]
    if listed is None:
        factors = np.max([np.ones(len(BASIS), np.float32), *(s.interval_factors for s in spec.subsets)], axis=0)
        moments, ridge = np.zeros((0, 0), np.float32), {}
    else:
        factors, ridge = listed.interval_factors, listed.ridge
        moments = _in_order(spec, listed, there)
    head = Head(
        spec.head.lags,
        spec.head.mean[np.ix_(rows, columns)],
        spec.head.log_scale[np.ix_(rows, columns)],
        moments,
        spec.head.interval_level,
        np.asarray(factors[columns], np.float32),
    )
    return replace(
        spec,
        any_lead=False,
        subsets=(),
        input_leads=there,
        target_leads=hidden,
        head=head,
        ridge=ridge if listed is not None and listed.leads == there else {},
    )


def channel_view(spec: ModelSpec, channels: tuple[str, ...]) -> ModelSpec:
    """Describe an any-electrode model as one of fixed channels; see `for_leads`.

    For channels that do not amount to a placement listed in the file the interval is the widest of the listed ones.
    Channels that follow from earlier ones are left out.
    """
    there = independent(known_channels(channels))
    hidden = missing_basis(there)
    if not there or not hidden:
        raise LeadMismatchError(
            "an any-electrode model needs one to seven independent channels of known place; "
            f"the source has {', '.join(channels) or 'none'}",
            PLACES_FIX,
        )
    columns = [BASIS.index(lead) for lead in hidden]
    found, listed = guess_from(there, spec.covariance), _spanning(spec, there)
    factors = np.max([np.ones(len(BASIS), np.float32), *(s.interval_factors for s in spec.subsets)], axis=0)
    moments, shrink, ridge = np.zeros((0, 0), np.float32), None, {}
    if listed is not None:
        factors, moments = listed.interval_factors, _moments_of(spec, listed, there)
        same = set(listed.leads) == set(there)
        shrink, ridge = listed.shrink if same else None, listed.ridge if listed.leads == there else {}
    head = Head(
        spec.head.lags,
        behind_guess(layout_of(spec), spec.head.mean[:, columns], found.matrix),
        behind_guess(layout_of(spec), spec.head.log_scale[:, columns], found.matrix),
        moments,
        spec.head.interval_level,
        np.asarray(factors[columns], np.float32),
        shrink,
    )
    return replace(
        spec,
        any_lead=False,
        subsets=(),
        covariance=np.zeros((0, 0)),
        input_leads=there,
        target_leads=hidden,
        head=head,
        ridge=ridge,
    )


def _spanning(spec: ModelSpec, channels: tuple[str, ...]) -> LeadSubset | None:
    """The listed placement that knows the same as these channels; the very channels first."""
    mine = of_basis(channels)
    alike = [
        s for s in spec.subsets if len(s.leads) == len(channels) and span_solution(mine, of_basis(s.leads))[0].all()
    ]
    return min(alike, key=lambda s: (s.leads != channels, set(s.leads) != set(channels)), default=None)


def _moments_of(spec: ModelSpec, listed: LeadSubset, channels: tuple[str, ...]) -> Float32Array:
    """Moments of a listed placement in terms of channels that span the same; none where the file has none."""
    if not listed.moments.size:
        return listed.moments
    _, matrix = span_solution(of_basis(listed.leads), of_basis(channels))
    turn = RegressorLayout(spec.n_features, len(channels), spec.head.lags).mixing(matrix)
    return np.asarray(turn @ listed.moments.astype(np.float64) @ turn.T, np.float32)


def behind_guess(layout: RegressorLayout, weights: Float32Array, matrix: FloatArray) -> Float32Array:
    """Turn a head's weights of the guesses into weights of the channels they are made of.

    Parameters
    ----------
    layout : RegressorLayout
        Of the head, whose leads are the guesses.
    weights : ndarray of float32, shape (n_regressors, n_targets)
        Its weights.
    matrix : ndarray of shape (8, n_channels)
        See `placement.Guess`.
    """
    return np.asarray(layout.mixing(matrix).T @ weights.astype(np.float64), np.float32)


def _regressor_rows(spec: ModelSpec, leads: tuple[str, ...]) -> list[int]:
    """Rows of an any-lead head that a model of these leads has, in that model's order."""
    return layout_of(spec).of_leads([BASIS.index(lead) for lead in leads])


def _in_order(spec: ModelSpec, subset: LeadSubset, leads: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Moments of a listed subset with its leads in another order."""
    have = _regressor_rows(spec, subset.leads)
    order = [have.index(row) for row in _regressor_rows(spec, leads)]
    return np.asarray(subset.moments[np.ix_(order, order)], np.float32)


class MaskedInputs:
    """The graph of an any-lead model, fed by the leads that are there.

    Parameters
    ----------
    backend : Backend
        Takes the eight basis leads and their masks.
    leads : tuple of str
        Basis leads, in the order of the columns that `step` takes.
    """

    def __init__(self, backend: Backend, leads: tuple[str, ...]) -> None:
        self.name, self.runs_on, self._backend = backend.name, backend.runs_on, backend
        self._columns = [BASIS.index(lead) for lead in leads]
        self._masks = np.array([lead in leads for lead in BASIS], np.float32)

    def initial_state(self) -> State:
        """State of a cold start."""
        return self._backend.initial_state()

    def step(self, x: npt.NDArray[np.float32], state: State) -> tuple[npt.NDArray[np.float32], State]:
        """Run one hop; see `Backend.step`."""
        both = np.zeros((len(x), 2 * len(BASIS)), np.float32)
        both[:, self._columns] = x
        both[:, len(BASIS) :] = self._masks
        return self._backend.step(both, state)


class GuessedInputs:
    """The graph of an any-electrode model, fed by the channels that are there.

    Parameters
    ----------
    backend : Backend
        Takes the guesses of the eight basis leads and the shares known of them.
    matrix : ndarray of shape (8, n_channels)
        See `placement.Guess`.
    known : ndarray of shape (8,)
        See `placement.Guess`.
    """

    def __init__(self, backend: Backend, matrix: FloatArray, known: FloatArray) -> None:
        self.name, self.runs_on, self._backend = backend.name, backend.runs_on, backend
        self._matrix, self._known = matrix.astype(np.float32).T, known.astype(np.float32)

    def initial_state(self) -> State:
        """State of a cold start."""
        return self._backend.initial_state()

    def step(self, x: npt.NDArray[np.float32], state: State) -> tuple[npt.NDArray[np.float32], State]:
        """Run one hop; see `Backend.step`."""
        both = np.empty((len(x), 2 * len(BASIS)), np.float32)
        both[:, : len(BASIS)] = x @ self._matrix
        both[:, len(BASIS) :] = self._known
        return self._backend.step(both, state)
