"""The table of docs/devices.md that is made from the decoders.

``python -m ecg_edge.firmware_bridge.cli.devices_page docs/devices.md`` writes it between its marks.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from ecg_edge.firmware_bridge.decoders.catalogue import DEVICES, Device
from ecg_edge.firmware_bridge.events import StreamInfo
from ecg_edge.firmware_bridge.lead_names import ELECTRODES

BEGIN, END = "<!-- devices: begin -->\n", "<!-- devices: end -->"
_HEAD = """\
| `--as` | Hz | channels in mV | µV per count | bits | other channels | electrodes sensed | losses known |
|---|---:|---|---:|---:|---|---|---|
"""


class _Announcing(Protocol):
    """A decoder that knows its device before the first byte, as all of the catalogue do."""

    info: StreamInfo


def devices_table() -> str:
    """Return the table in Markdown: a row for each device, as its decoder states it before the first byte."""
    return _HEAD + "".join(_row(device) for device in DEVICES)


def with_table(page: str) -> str:
    """Return the page with the table renewed."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + devices_table() + END + rest.partition(END)[2]


def _row(device: Device) -> str:
    decoder = device.decoder()
    info = cast(_Announcing, decoder).info
    leads = [c for c in info.channels if not math.isnan(c.lsb_mv)]
    sensed = [name for k, name in enumerate(ELECTRODES) if info.sensed >> k & 1]
    cells = (
        f"`{device.name}`",
        f"{float(device.fs):.2f}".rstrip("0").rstrip("."),
        _span([c.lead for c in leads]),
        f"{leads[0].lsb_mv * 1000:.4g}",
        str(leads[0].bits),
        _span([c.lead for c in info.channels if math.isnan(c.lsb_mv)]) or "–",
        ", ".join(sensed) or "none",
        _losses(device, decoder.tally.loss_known),
    )
    return f"| {' | '.join(cells)} |\n"


def _span(labels: Sequence[str]) -> str:
    """Join labels; four or more numbered ones (``ch3 … ch8``) become a span."""
    numbered = [x for x in labels if x.startswith("ch")]
    if len(numbered) < 4:
        return ", ".join(labels)
    return ", ".join([*(x for x in labels if x not in numbered), f"{numbered[0]} … {numbered[-1]}"])


def _losses(device: Device, known: bool) -> str:
    # a counter of four bits wraps within an ordinary stall: only arrival times show how often
    return "by arrival times" if device.module == "bitalino" else "yes" if known else "no"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_table(target.read_text(encoding="utf-8")), encoding="utf-8")
