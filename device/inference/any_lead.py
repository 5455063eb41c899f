"""A model that accepts every set of basis leads, seen as a model of the ones that are there.

The graph of such a model has sixteen inputs: the eight basis leads (0 where absent) and eight masks.
Its head predicts all eight. What a stream needs of it is what it needs of any other model, so the
view below has fixed leads and the rows and columns of the head that belong to them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ecg_edge.device.inference.backend import Backend, State
from ecg_edge.device.inference.head import layout_of
from ecg_edge.device.inference.load import Model
from ecg_edge.device.inference.spec import Head, LeadSubset, ModelSpec
from ecg_edge.device.lead_algebra import BASIS, leads_known, missing_basis
from ecg_edge.firmware_bridge.errors import LeadMismatchError


def for_leads(model: Model, leads: tuple[str, ...]) -> Model:
    """Return a model of these leads; a model of fixed leads is returned as it is.

    Parameters
    ----------
    model : Model
        Any.
    leads : tuple of str
        Measured leads, in any order; basis leads that follow from them are used as well.

    Raises
    ------
    LeadMismatchError
        No basis lead among them, or nothing left to reconstruct.
    """
    if not model.spec.any_lead:
        return model
    spec = view(model.spec, (*leads, *(lead for lead in leads_known(leads) if lead not in leads)))
    listed = listed_subset(model.spec, spec.input_leads) is not None
    backend = MaskedInputs(model.backend, spec.input_leads)
    return replace(model, spec=spec, backend=backend, interval_calibrated=listed)


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
            "name the source's channels with --leads",
        )
    columns = [BASIS.index(lead) for lead in hidden]
    rows = _regressor_rows(spec, there)
    listed = listed_subset(spec, there)
    factors: npt.NDArray[np.float32]
    if listed is None:
        factors = np.max([s.interval_factors for s in spec.subsets], axis=0, initial=1.0)
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
        self.name, self._backend = backend.name, backend
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
