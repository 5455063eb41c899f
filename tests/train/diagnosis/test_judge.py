"""Judges read five superclasses off records of any length, and stay what they were when saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.firmware_bridge.errors import CheckpointError
from ecg_edge.train.data.prepare import Prepared
from ecg_edge.train.diagnosis import labels, learn
from ecg_edge.train.diagnosis.judge import DESIGNS, Judge, JudgeSpec

HOW = learn.LearnSpec(epochs=3, batch=8, crop=300)
Parts = tuple[Prepared, Prepared]


def small(design: str = "residual", leads: tuple[str, ...] = BASIS) -> JudgeSpec:
    return JudgeSpec(design, leads, width=20)


def lessons(n: int = 24) -> learn.Lessons:
    """Records whose first class is a high V3, and whose others are noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.3, (n, 8, 400)).astype(np.float32)
    said = (rng.random((n, 5)) < 0.5).astype(np.float32)
    x[:, 4] *= 1 + 3 * said[:, :1]
    return learn.Lessons(torch.from_numpy(x), torch.from_numpy(said))


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("leads", [BASIS, ("I", "II")])
def test_any_length_gives_five_answers_and_gradients(design: str, leads: tuple[str, ...]) -> None:
    judge = Judge(small(design, leads)).eval()
    for n in (133, 728):
        x = torch.randn(3, len(leads), n, requires_grad=True)
        seen, logits = judge.seen(x)
        assert logits.shape == (3, 5)
        assert len({level.shape for level in seen}) >= 3
        logits.sum().backward()
        assert x.grad is not None and bool((x.grad.abs().sum(dim=(1, 2)) > 0).all())


def test_a_judge_of_twelve_leads_sees_the_algebra() -> None:
    judge = Judge(small())
    x = torch.randn(2, 8, 200)
    twelve = torch.einsum("ij,bjt->bit", judge.matrix, x)
    torch.testing.assert_close(twelve[:, 2], x[:, 1] - x[:, 0])
    assert twelve.shape[1] == 12


def test_an_unknown_design_is_an_error() -> None:
    with pytest.raises(CheckpointError, match="oracle"):
        Judge(JudgeSpec("oracle"))


def test_it_learns_and_is_read_back(tmp_path: Path) -> None:
    file, losses = tmp_path / "judge.pt", []
    how = learn.LearnSpec(epochs=10, batch=8, crop=300, ema=0.5)
    judge = learn.JudgeTrainer(small(), how, lessons(), file).fit(lambda e, loss: losses.append(loss))
    assert losses[-1] < losses[0]
    again = learn.load_judge(file)
    x = np.asarray(lessons().x.numpy().transpose(0, 2, 1))
    np.testing.assert_array_equal(learn.probabilities(again, x, 50), learn.probabilities(judge, x, 50))
    assert not list(tmp_path.glob("*.last.pt"))


def test_a_stopped_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.pt", tmp_path / "cut.pt"
    one = learn.JudgeTrainer(small(), HOW, lessons(), whole).fit(lambda *_: None)

    def stop(epoch: int, loss: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn.JudgeTrainer(small(), HOW, lessons(), cut).fit(stop)
    assert not cut.exists()
    other = learn.JudgeTrainer(small(), HOW, lessons(), cut).fit(lambda *_: None)
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_other_settings_do_not_go_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        learn.JudgeTrainer(small(), HOW, lessons(), tmp_path / "j.pt").fit(_interrupt)
    with pytest.raises(CheckpointError, match="other settings"):
        learn.JudgeTrainer(small("inception"), HOW, lessons(), tmp_path / "j.pt")


def _interrupt(epoch: int, loss: float) -> None:
    raise KeyboardInterrupt


def test_time_ends_a_training_with_a_judge(tmp_path: Path) -> None:
    epochs: list[int] = []
    learn.JudgeTrainer(small(), HOW, lessons(), tmp_path / "j.pt").fit(lambda e, _: epochs.append(e), seconds=1e-9)
    assert epochs == [1] and (tmp_path / "j.pt").is_file()


def test_the_rate_rises_and_falls() -> None:
    each = [learn.rate(t) for t in np.linspace(0, 1.2, 50)]
    assert max(each) <= 1 and each[0] < 0.1 and each[-1] < 0.01


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_files_that_hold_no_judge(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "judge.pt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CheckpointError):
        learn.load_judge(file)


def test_labels_are_those_of_the_table() -> None:
    said = labels.labels(["NORM", "MI;CD", "", "HYP;STTC"])
    np.testing.assert_array_equal(said, [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0], [0] * 5, [0, 0, 1, 0, 1]])
    np.testing.assert_array_equal(labels.diagnosed(["NORM", "MI;CD", "", "HYP;STTC"]), [0, 1, 3])
