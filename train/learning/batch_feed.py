"""The batches of a training in their order, drawn ahead by worker processes where there are any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from ecg_edge.firmware_bridge.array_types import FloatArray
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.learning.batches import Batch, draw
from ecg_edge.train.learning.train_spec import TrainSpec
from ecg_edge.train.network.placement_draw import covariance_of
from ecg_edge.train.network.unet import NetSpec

_MOST = 15
_AHEAD = 4
Key = tuple[int, int, npt.NDArray[np.int64]]


class Feed:
    """Batches, epoch after epoch.

    Each step has its own generator, made of the run's seed, the epoch and the step. The numbers do not depend on the
    process or the order, so a resumed run draws what an uninterrupted one would.

    Parameters
    ----------
    data : Prepared
        Training records.
    net, spec : NetSpec, TrainSpec
        What and how.
    workers : int
        Processes that draw ahead; 0: whoever asks draws.
    """

    def __init__(self, data: Prepared, net: NetSpec, spec: TrainSpec, workers: int = 0) -> None:
        self.covariance = covariance_of(data.x, 2 * net.fs) if net.any_electrode else None
        self._crops = _Crops(data, net, spec, self.covariance)
        self._spec, self._workers = spec, workers
        self.steps = max(1, len(data) // spec.batch)

    def batches(self, first: int, stop: int) -> Iterator[Iterator[Batch]]:
        """The batches of one epoch after the other, from `first` to before `stop`."""
        ahead: dict[str, Any] = {"prefetch_factor": _AHEAD, "multiprocessing_context": "fork"} if self._workers else {}
        loader = DataLoader(
            self._crops,
            batch_size=None,
            sampler=_Keys(len(self._crops), self.steps, self._spec, range(first, stop)),
            num_workers=self._workers,
            **ahead,
        )
        drawn = iter(loader)
        for _ in range(first, stop):
            yield islice(drawn, self.steps)


def fitting_workers(on_gpu: bool, processes: int = 1) -> int:
    """How many processes should draw: none where the processor trains, or where they cannot be forked."""
    if not on_gpu or not hasattr(os, "fork"):
        return 0
    return min(_MOST, max(1, (os.cpu_count() or 1) // processes - 1))


class _Keys:
    """Epoch, step and rows of every batch still to come."""

    def __init__(self, records: int, steps: int, spec: TrainSpec, epochs: range) -> None:
        self._records, self._steps, self._spec, self._epochs = records, steps, spec, epochs

    def __len__(self) -> int:
        return self._steps * len(self._epochs)

    def __iter__(self) -> Iterator[Key]:
        size = self._spec.batch
        for epoch in self._epochs:
            order = np.random.default_rng([self._spec.seed, epoch]).permutation(self._records)
            for k in range(self._steps):
                yield epoch, k, order[k * size : (k + 1) * size]


class _Crops(Dataset[Batch]):
    """What a key stands for."""

    def __init__(self, data: Prepared, net: NetSpec, spec: TrainSpec, covariance: FloatArray | None) -> None:
        self._data, self._net, self._spec, self._covariance = data, net, spec, covariance

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, key: Key) -> Batch:
        epoch, step, rows = key
        rng = np.random.default_rng([self._spec.seed, epoch, step])
        return draw(self._data, rows, self._net, self._spec, rng, self._covariance)
