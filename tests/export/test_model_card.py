"""The model card says what is in the file's description, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ecg_edge.device.lead_algebra import BASIS
from ecg_edge.export.model_card import model_card
from ecg_edge.train.network.unet import NetSpec
from tests.support.nets import SMALL, exporter_of, lively

DATASET = {"name": "PTB-XL", "licence": "CC BY 4.0", "citation": "Wagner et al. 2020"}


def table(rmse_mv: float, r: float, records: int = 2183) -> dict[str, Any]:
    row = {"rmse_mv": rmse_mv, "r": r}
    return {"set": "fold 9", "records": records, "leads": {"V1": row, "V6": row}, "mean": row}


def spec_of(leads: tuple[str, ...] = ("I", "II"), any_lead: bool = False, **accuracy: Any):
    made = exporter_of(lively(NetSpec(leads, any_lead=any_lead, **SMALL))).spec  # type: ignore[arg-type]
    training = {**made.training, "dataset": DATASET, "records": {"train": 17_000, "validation": 2_100}}
    return replace(made, training=training, accuracy=accuracy)


def test_the_head_names_leads_rate_and_latency() -> None:
    spec = spec_of()
    card = model_card(spec, [("i-ii-int8.onnx", 283_123, "ab" * 32)])
    assert card.startswith("# I, II → twelve leads\n") and "**Not a medical device" in card
    assert "- inputs: I, II in mV at 100 Hz" in card
    assert "exact algebra of I and II: III, aVR, aVL, aVF" in card
    assert f"algorithmic latency {1000 * spec.algorithmic_latency_s:.0f} ms" in card
    assert "settles within 0.40 s" in card and f"- model id `{spec.model_id}`" in card
    assert f"| `i-ii-int8.onnx` | 283,123 | `{'ab' * 32}` |" in card
    assert "17,000 records to train, 2,100 to validate" in card and "data licence CC BY 4.0; Wagner et al. 2020" in card


def test_precisions_stand_beside_each_other_by_lead() -> None:
    card = model_card(spec_of(fp32=table(0.1, 0.9), int8=table(0.1012, 0.899), checks=["a line"]), [])
    assert "## Accuracy: fold 9, 2183 records" in card
    assert "| lead | fp32: RMSE mV | r | int8: RMSE mV | r |" in card
    assert "| V6 | 0.1000 | 0.900 | 0.1012 | 0.899 |" in card and "| mean | 0.1000 |" in card


def test_an_any_lead_card_has_a_row_for_each_lead_set() -> None:
    accuracy = {"int8 I": table(0.14, 0.8), "int8 I+II": table(0.1, 0.9)}
    card = model_card(spec_of(BASIS, any_lead=True, **accuracy), [])
    assert card.startswith("# Any leads → twelve leads") and "- inputs: any of I, II, V1" in card
    assert "| int8 I | 0.1400 | 0.800 |\n| int8 I+II | 0.1000 | 0.900 |" in card
    assert "Other sets work too" in card and "| lead |" not in card


def test_without_figures_there_is_no_table_of_them() -> None:
    assert "## Accuracy" not in model_card(spec_of(), [])


def test_teachers_are_named() -> None:
    spec = spec_of()
    assert "learned what" not in model_card(spec, [])
    taught = replace(spec, training={**spec.training, "teachers": ["runs/wide", "runs/every"]})
    assert "- learned what runs/wide, runs/every say, not the truth" in model_card(taught, [])
