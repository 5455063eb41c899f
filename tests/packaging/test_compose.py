"""The compose folder fits what the gateway exposes."""

import json
import re
from pathlib import Path

import pytest

from ecg_edge.device.gateway.gateway_file import read_gateway
from ecg_edge.device.sinks.home_assistant import discovery
from ecg_edge.device.sinks.prometheus import Exposed, exposition
from tests.support.monitor_scene import make_status

FOLDER = Path(__file__).resolve().parents[2] / "packaging" / "compose"


def test_the_gateways_file_is_right():
    found = read_gateway(FOLDER / "ward.toml")
    assert [p.name for p in found.patches] == ["bed-1", "bed-2"] and found.ward.port == 8765
    assert {p.mqtt_discovery for p in found.patches} == {"homeassistant"}


def test_the_dashboard_asks_for_figures_that_are_there():
    board = json.loads((FOLDER / "grafana" / "dashboards" / "ward.json").read_text())
    asked = {name for p in board["panels"] for t in p["targets"] for name in re.findall(r"ecg_\w+", t["expr"])}
    status = make_status(battery_percent=3, quality={"I": {"index": 1.0, "reason": ""}})
    page = exposition([Exposed({}, status, {"gap": 1}, {"bed": "b"}, {"ecg_bed_trouble": 0})])
    assert asked <= set(re.findall(r"^(ecg_\w+)\{", page, re.MULTILINE)) and len(asked) >= 7
    assert len({p["id"] for p in board["panels"]}) == len(board["panels"])


def test_compose_names_files_that_are_there():
    yaml = pytest.importorskip("yaml")
    doc = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    for service in doc["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in doc["volumes"] if not source.startswith(".") else (FOLDER / source).exists(), volume
    assert set(doc["services"]) == {"gateway", "broker", "prometheus", "grafana"}
    scrape = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == ["gateway:8765"]
    assert (FOLDER / doc["services"]["gateway"]["build"] / "Dockerfile").exists()


def test_home_assistant_is_told_every_figure_once():
    found = dict(discovery("ward/bed-7"))
    messages = {topic: json.loads(text) for topic, text in found.items()}
    assert len(found) == 6 and all(re.fullmatch(r"homeassistant/\w+/\w+/\w+/config", t) for t in found)
    assert len({m["unique_id"] for m in messages.values()}) == 6
    assert {m["state_topic"] for m in messages.values()} == {"ward/bed-7/status"}
    assert all(m["expire_after"] == 5 and m["device"]["name"] == "bed-7" for m in messages.values())
    fields = {f for m in messages.values() for f in re.findall(r"value_json\.(\w+)", m["value_template"])}
    assert fields <= set(vars(make_status())), "the status has these fields"
    assert not set(found) & set(dict(discovery("ward/bed-8")))
