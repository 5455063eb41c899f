"""``ecg-edge ports``: the serial ports and what is plugged into them."""

from __future__ import annotations

import argparse

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.console import emit_json, hint


def _configure_ports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _ports(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ecg_edge.firmware_bridge.ports.transport import list_ports

    ports = list_ports()
    for port in ports:
        usb = f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None and port.pid is not None else "no USB"
        print(f"{port.device}  {port.description}  {usb}  {port.serial_number or 'no serial number'}")
    if args.json:
        emit_json({"ports": [asdict(port) for port in ports]})
    usb_ports = [port.device for port in ports if port.vid is not None]
    hint(f"next: ecg-edge run {usb_ports[0]}" if usb_ports else "no USB serial port\nnext: ecg-edge demo")
    return 0


PORTS = Verb("ports", "serial ports of this machine and what is known of them", _configure_ports, _ports)
