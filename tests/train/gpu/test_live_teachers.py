"""Teachers that answer while their student trains: whatever they measure, they speak of the student's hidden leads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecg_edge.device.lead_algebra import BASIS, missing_basis, of_basis
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.train.gpu.live_teachers import Teacher, answer
from ecg_edge.train.network.inputs import seen_by
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import SMALL, lively

BASIS_X = torch.randn(2, 8, 160, generator=torch.Generator().manual_seed(0))


def spec(leads: tuple[str, ...], **more: bool) -> NetSpec:
    return NetSpec(leads, **SMALL, **more)  # type: ignore[arg-type]


def test_leads_in_another_order_are_put_right() -> None:
    network = lively(spec(("II", "I")))
    x = BASIS_X[:, :2]
    with torch.no_grad():
        want = network(x[:, [1, 0]])[0]
    torch.testing.assert_close(Teacher(network, ("I", "II"))(x), want)


@pytest.mark.parametrize("channels", [("I",), ("I", "II", "V2"), ("RA-V5", "V1-V3")])
def test_an_any_electrode_network_answers_for_whatever_is_measured(channels: tuple[str, ...]) -> None:
    network = lively(spec(BASIS, any_lead=True, any_electrode=True))
    hidden = missing_basis(channels)
    seen = torch.from_numpy(of_basis(channels).astype(np.float32)) @ BASIS_X
    said = Teacher(network, channels)(seen)
    assert said.shape == (2, len(hidden), 160)
    inputs = seen_by(network, BASIS_X.numpy().transpose(0, 2, 1), channels).transpose(0, 2, 1)
    with torch.no_grad():
        want = network(torch.from_numpy(np.ascontiguousarray(inputs)))[0][:, [BASIS.index(n) for n in hidden]]
    torch.testing.assert_close(said, want, atol=1e-4, rtol=1e-4)


def test_several_teachers_answer_with_their_mean() -> None:
    teachers = [Teacher(lively(spec(("I", "II")), seed), ("I", "II")) for seed in (1, 2, 3)]
    x = BASIS_X[:, :2]
    torch.testing.assert_close(answer(teachers, x), sum(t(x) for t in teachers) / 3)
    torch.testing.assert_close(answer(teachers[:1], x), teachers[0](x))


def test_a_teacher_learns_nothing_itself() -> None:
    teacher = Teacher(lively(spec(("I",))), ("I",))
    assert not any(p.requires_grad for p in teacher.parameters()) and not teacher.network.training
    x = BASIS_X[:, :1].clone().requires_grad_()
    assert not teacher(x).requires_grad


def test_a_network_of_other_leads_is_refused() -> None:
    with pytest.raises(UsageError, match="a teacher measures I, V2") as caught:
        Teacher(lively(spec(("I", "V2"))), ("I", "II"))
    assert "I, II" in caught.value.fix
