"""Discovery messages of Home Assistant: it lists a bed's figures by itself once they are on the broker.

Each figure is a retained message under ``PREFIX/sensor/ID/FIGURE/config`` (or ``binary_sensor``), as its MQTT
integration describes them. A figure expires after `EXPIRES_S`: what is old is shown as unavailable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

PREFIX = "homeassistant"
EXPIRES_S = 5
_Figures = dict[str, tuple[str, str, dict[str, object]]]
_SENSORS: _Figures = {
    "heart_rate": ("Heart rate", "value_json.heart_rate_bpm", {
        "unit_of_measurement": "bpm", "icon": "mdi:heart-pulse", "suggested_display_precision": 0,
        "state_class": "measurement"}),
    "battery": ("Battery", "value_json.battery_percent", {
        "unit_of_measurement": "%", "device_class": "battery", "state_class": "measurement"}),
    "lost": ("Samples lost", "value_json.samples_lost", {
        "state_class": "total_increasing", "icon": "mdi:close-network"}),
    "electrodes_off": ("Electrodes off", "value_json.lead_off | join(' ') or 'none'", {"icon": "mdi:human"}),
}  # fmt: skip
_BINARY: _Figures = {
    "connected": ("Device", "'ON' if value_json.connected else 'OFF'", {"device_class": "connectivity"}),
    "electrodes": ("Electrodes", "'ON' if value_json.lead_off else 'OFF'", {"device_class": "problem"}),
}


def discovery(topic: str, prefix: str = PREFIX) -> Iterator[tuple[str, str]]:
    """Yield topic and message for each figure of a bed.

    Parameters
    ----------
    topic : str
        Under which the bed publishes: ``ward/bed-7``.
    prefix : str
        As Home Assistant is set up.
    """
    bed = topic.rpartition("/")[2]
    ident = "ecg_edge_" + hashlib.sha256(topic.encode()).hexdigest()[:12]
    device = {"identifiers": [ident], "name": bed, "manufacturer": "ecg-edge", "model": "no alarm device"}
    for kind, figures in (("sensor", _SENSORS), ("binary_sensor", _BINARY)):
        for name, (words, template, more) in figures.items():
            message = {
                "name": words,
                "unique_id": f"{ident}_{name}",
                "state_topic": f"{topic}/status",
                "value_template": f"{{{{ {template} }}}}",
                "expire_after": EXPIRES_S,
                "device": device,
                **more,
            }
            yield f"{prefix}/{kind}/{ident}/{name}/config", json.dumps(message)
