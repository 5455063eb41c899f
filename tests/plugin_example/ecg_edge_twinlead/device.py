"""What `ecg-edge` reads first: small, so that looking for plug-ins costs little."""

from __future__ import annotations

from fractions import Fraction

from ecg_edge.firmware_bridge.decoders.catalogue import Device

TWINLEAD = Device(
    "twinlead", "Twinlead board", "ecg_edge_twinlead.decoder", "twinlead", Fraction(250), ("I", "II"), 115200,
    aliases=("twin",), evidence=24, emulator=("ecg_edge_twinlead.emulator", "TwinleadBoard"),
)  # fmt: skip
