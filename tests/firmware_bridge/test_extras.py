import re
from pathlib import Path

import pytest

from ecg_edge.firmware_bridge.extras import EXTRAS, extra_of

ROOT = Path(__file__).resolve().parents[2]
NO_MODULE_OF_OURS = {"config", "dev", "docs"}
"""tomli is in the standard library from Python 3.11 on; the tools of a developer are imported by no verb."""
MODULE_OF = {
    "paho-mqtt": "paho.mqtt", "ai-edge-litert": "ai_edge_litert", "pyyaml": "yaml", "tensorflow-cpu": "tensorflow",
    "lightning-fabric": "lightning_fabric",
}  # fmt: skip


def test_the_table_is_what_the_package_offers():
    tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {extra: [re.match(r"[\w-]+", line)[0] for line in x] for extra, x in offered.items()}
    want = {extra: {MODULE_OF.get(n, n) for n in x} for extra, x in names.items() if extra not in NO_MODULE_OF_OURS}
    assert {x.name: set(x.modules) for x in EXTRAS} == want


def test_a_module_is_brought_by_the_smallest_extra():
    assert [extra_of(m) for m in ("wfdb", "matplotlib.pyplot", "paho", "onnx", "torch")] == [
        "wfdb", "plot", "mqtt", "export", "train"
    ]  # fmt: skip
    assert extra_of("numpy") is None and extra_of("") is None
