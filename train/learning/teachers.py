"""What other networks make of the training records, for one to learn from in place of the truth.

The truth holds what the measured leads do not tell: a network that learns from it learns some by heart. The mean of
several networks has less of that, and more of what holds for others (Hinton et al. 2015, "Distilling the
knowledge in a neural network"). What they say can be stretched (`stretch`), so that the student need not.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.array_types import Float32Array, FloatArray
from ecg_edge.firmware_bridge.errors import DiskFullError, UsageError
from ecg_edge.firmware_bridge.progress import Progress
from ecg_edge.train.data.prepare import Prepared, cache_folder
from ecg_edge.train.evaluation.delineation import amplitudes
from ecg_edge.train.evaluation.landmark_cache import RememberingDelineator
from ecg_edge.train.learning import r_wave_stretch as stretch
from ecg_edge.train.learning.r_amplitudes import beats
from ecg_edge.train.network.unet import NetSpec, UNet
from ecg_edge.train.runs.checkpoints import reconstruct

JUDGED_FROM_S = 2.0
_BATCH, _LEAST_RECORDS, _ROUNDS = 128, 4, 3


def check(net: NetSpec, teachers: list[UNet]) -> None:
    """Raise a UsageError where a teacher does not measure what its student, a network of shape `net`, does."""
    for k, t in enumerate(teachers, 1):
        same = (t.spec.input_leads, t.spec.any_lead, t.spec.fs) == (net.input_leads, net.any_lead, net.fs)
        if not same or net.any_lead:
            raise UsageError(
                f"teacher {k} measures {', '.join(t.spec.input_leads)} at {t.spec.fs} Hz",
                f"a teacher measures what its student does: {', '.join(net.input_leads)} at {net.fs} Hz",
            )


def taught(
    train: Prepared,
    validation: Prepared,
    net: NetSpec,
    teachers: list[UNet],
    ratio: float,
    mix: float = 0.0,
    mixes: int = 1,
) -> Prepared:
    """The training records with the teachers' estimates of their missing leads.

    It lies in the cache of prepared records, keyed by records and teachers.

    Parameters
    ----------
    train, validation : Prepared
        The stretch is learnt on the validation records.
    net : NetSpec
        Of the student.
    teachers : list of UNet
        In evaluation mode; their mean counts.
    ratio : float
        R waves are stretched until their variance, as an evaluation reads it, is this share of the truth's, see
        `stretch.learn`. 0: not at all.
    mix : float
        Each record gets copies that the teachers have not learnt by heart. Their measured leads are mixed by a matrix
        that differs from the identity by normal numbers of this standard deviation. Their truth is the teachers'
        answer to them, plus what the record's own truth had beyond the teachers' answer. 0: no copies.
    mixes : int
        How many copies of each record.

    Returns
    -------
    Prepared
        `train` with `Prepared.taught`, and with the mixed records behind its own.

    Raises
    ------
    UsageError
        A teacher measures other leads or at another rate, see `check`; too few records have beats to stretch.
    MissingExtraError
        NeuroKit2, which finds the beats for a stretch, is not installed.
    DiskFullError
        No space left for the cache.
    """
    check(net, teachers)
    mixes = mixes if mix else 0
    key = _key(train, validation, teachers, (ratio, mix, mixes))
    said, mixed = (cache_folder() / f"{name}-{key}.npy" for name in ("taught", "mixed"))
    if not said.is_file():
        how = _learn(validation, net, teachers, ratio) if ratio else None
        _keep(said, mixed, partial(_write, train, net, teachers, how, mix, mixes))
    rows = np.load(said, mmap_mode="r")
    if not mixes:
        return replace(train, taught=rows)
    copies = 1 + mixes
    return Prepared(
        np.load(mixed, mmap_mode="r"),
        train.ids * copies,
        train.patients * copies,
        train.superclasses * copies,
        train.excluded,
        train.names * copies,
        rows,
    )


def _keep(said: Path, mixed: Path, write: Callable[[Path, Path], None]) -> None:
    """Write both files by renaming, `said` last: with it the cache is whole."""
    parts = [file.with_suffix(f".{os.getpid()}.part.npy") for file in (said, mixed)]
    try:
        write(*parts)
        if parts[1].exists():
            parts[1].replace(mixed)
        parts[0].replace(said)
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        fix = "make room, or set ECG_EDGE_CACHE to another disk"
        raise DiskFullError(f"no space left in {said.parent}", fix) from e
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _write(
    data: Prepared,
    net: NetSpec,
    teachers: list[UNet],
    how: stretch.Stretch | None,
    mix: float,
    mixes: int,
    part: Path,
    part_x: Path,
) -> None:
    """One row per record and sample; where the teachers have not seen enough, at the end, the truth."""
    part.parent.mkdir(parents=True, exist_ok=True)
    n, samples = len(data), data.x.shape[1]
    copies = 1 + mixes
    rows = np.lib.format.open_memmap(part, "w+", np.float32, (copies * n, samples, len(net.target_leads)))
    records = np.lib.format.open_memmap(part_x, "w+", np.float32, (copies * n, *data.x.shape[1:])) if mixes else None
    with Progress("asking the teachers", copies * n) as progress:
        for k in range(0, n, _BATCH):
            x = np.asarray(data.x[k : k + _BATCH])
            said = _said(x, net, teachers)
            rows[k : k + len(x)] = _lesson(x, said, net, how)
            if records is not None:
                records[k : k + len(x)] = x
                for copy in range(1, copies):
                    other, answer = _mixed(x, said, net, teachers, mix, np.random.default_rng([copy, k]))
                    at = slice(copy * n + k, copy * n + k + len(x))
                    records[at], rows[at] = other, _lesson(other, answer, net, how)
            progress.step(copies * len(x))
    rows.flush()
    if records is not None:
        records.flush()


def _lesson(x: Float32Array, said: Float32Array, net: NetSpec, how: stretch.Stretch | None) -> Float32Array:
    """What is learnt of records: what the teachers said, stretched, and the truth behind it."""
    if how is not None:
        said = how.apply(said, beats(x.transpose(0, 2, 1), net.fs)[:, : said.shape[2]], net.fs)
    rows = x[:, :, [BASIS.index(lead) for lead in net.target_leads]]
    rows[:, : said.shape[2]] = said.transpose(0, 2, 1)
    return rows


def _mixed(
    x: Float32Array, said: Float32Array, net: NetSpec, teachers: list[UNet], mix: float, rng: np.random.Generator
) -> tuple[Float32Array, Float32Array]:
    """Records with their measured leads mixed, and the teachers' estimates for those."""
    seen, out = ([BASIS.index(lead) for lead in leads] for leads in (net.input_leads, net.target_leads))
    matrix = np.eye(len(seen)) + rng.normal(0, mix, (len(x), len(seen), len(seen)))
    other = x.copy()
    other[:, :, seen] = np.einsum("nij,ntj->nti", matrix, x[:, :, seen])
    answer = _said(other, net, teachers)
    other[:, : said.shape[2], out] += (answer - said).transpose(0, 2, 1)
    return other, answer


def _learn(data: Prepared, net: NetSpec, teachers: list[UNet], ratio: float) -> stretch.Stretch:
    """On the R amplitudes that an evaluation reads."""
    x, delineator, first = np.asarray(data.x), RememberingDelineator(net.fs), round(JUDGED_FROM_S * net.fs)
    said = np.concatenate([_said(x[k : k + _BATCH], net, teachers) for k in range(0, len(x), _BATCH)])
    marks = []
    with Progress("looking for beats", len(x)) as progress:
        for record in x:
            marks.append(delineator.landmarks(record[: said.shape[2]], first))
            progress.step()
    kept = [k for k, at in enumerate(marks) if at is not None]
    if len(kept) < _LEAST_RECORDS:
        raise UsageError(
            f"beats are found in {len(kept)} validation records: no stretch can be learnt", "give more data"
        )
    x, said = x[kept].transpose(0, 2, 1), said[kept]

    def read(v: Float32Array) -> FloatArray:
        """R amplitudes, shape (n_records, n_targets)."""
        found = [marks[k] for k in kept]
        return np.array([amplitudes(one.T, at, net.fs).r for one, at in zip(v, found, strict=True) if at])

    truth, estimated, size = read(x[:, [BASIS.index(n) for n in net.target_leads]]), read(said), stretch.sizes(said)
    goal, at = np.full(len(net.target_leads), ratio), beats(x, net.fs)[:, : said.shape[2]]
    how = stretch.learn(truth, estimated, size, goal)
    for _ in range(_ROUNDS):  # what is stretched is more than the one instant that is read
        got = read(how.apply(said, at, net.fs)).var(axis=0) / truth.var(axis=0)
        goal = np.where(how.factor > 0, goal * ratio / got, goal)
        how = stretch.learn(truth, estimated, size, goal)
    return how


def _said(x: Float32Array, net: NetSpec, teachers: list[UNet]) -> Float32Array:
    """Mean of the teachers' estimates, shape (n_records, n_targets, n)."""
    seen = x[:, :, [BASIS.index(lead) for lead in net.input_leads]]
    each = [reconstruct(t, seen) for t in teachers]
    n = min(e.shape[1] for e in each)
    return np.asarray(np.mean([e[:, :n] for e in each], axis=0).transpose(0, 2, 1), np.float32)


def _key(train: Prepared, validation: Prepared, teachers: list[UNet], how: tuple[float, ...]) -> str:
    h = hashlib.sha256(repr(how).encode())
    for data in (train, validation):
        h.update(json.dumps([data.names, data.ids, data.x.shape]).encode() + data.x[[0, -1]].tobytes())
    for t in teachers:
        h.update(repr(t.spec).encode())
        for name, value in t.state_dict().items():
            h.update(name.encode() + value.cpu().numpy().tobytes())
    return h.hexdigest()[:20]
