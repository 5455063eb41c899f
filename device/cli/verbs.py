"""The verbs that run on the device. Heavy imports belong into the verbs' own modules."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.flags.numbers import MOST_PROCESSES, MOST_SECONDS, Number, whole


def _work(name: str, module: str = "") -> Callable[[argparse.Namespace], int]:
    """What a verb does: the function of that name in its own module here, imported when it runs."""

    def run(arguments: argparse.Namespace) -> int:
        work: Callable[[argparse.Namespace], int] = getattr(import_module(f"{__package__}.{module or name}"), name)
        return work(arguments)

    return run


_AT = Number("--at", 0, MOST_SECONDS)
_FILES = "x.hea, x.edf, x.csv, x.dcm, x.parquet, x.json (FHIR)"


def _settings(parser: argparse.ArgumentParser, *names: str) -> None:
    from ecg_edge.device.live.options import add_settings

    add_settings(parser, *names)


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="end with one JSON document on stdout")


def _of_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fs", metavar="HZ", help="rate of a file that does not state its own")
    _settings(parser, "unit")


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="TOML file that describes one or more patches, and all else")
    parser.add_argument(
        "--workers", metavar="N", type=whole("--workers", 0, MOST_PROCESSES),
        help="processes that share the patches of --config (default: one a core; 0: all in this one)",
    )  # fmt: skip
    _settings(parser)
    _output(parser)


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="RECORD", help="recording; of two that belong together, the measured one is played"
    )
    from ecg_edge.device.live.options import add_settings, settings

    add_settings(parser, *(name for name, _, _ in settings() if name != "source"))
    parser.set_defaults(config=None, workers=None, reconnect=True)
    _output(parser)


def _convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD", help="finished or recovered WFDB recording")
    parser.add_argument(
        "--out", metavar="FILE", help="x.edf, x.dcm, x.parquet, x.csv, x.json (FHIR), x.hea (default: EDF+ beside it)"
    )
    parser.add_argument("--patient", metavar="ID", default="", help="for the header (default: the recording's)")
    parser.add_argument("--force", action="store_true", help="replace the file where it is there")
    _of_file(parser)
    _output(parser)


def _reconstruct_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="FILE|DIR", help="recording of any format, or a folder of them")
    parser.add_argument(
        "--out", metavar="FILE|DIR", required=True, help="x.hea, x.edf, x.csv, x.dcm, x.parquet, x.json, or a folder"
    )
    parser.add_argument(
        "--format", choices=("wfdb", "edf", "csv", "dicom", "parquet", "fhir"), help="(default: by name, else wfdb)"
    )
    parser.add_argument("--leads", metavar="L", help="leads of the file to use (default: all that were measured)")
    parser.add_argument("--model", metavar="M", help="model file or name (default: the one that uses most leads)")
    parser.add_argument("--calibration", metavar="FILE", help="of the person")
    parser.add_argument("--patient", metavar="ID", help="whose calibration it must be")
    parser.add_argument("--placement", choices=("same", "again"), default="again", help="of electrodes (%(default)s)")
    parser.add_argument(
        "--fs", dest="out_fs", metavar="HZ|input", help="rate of the result (default: the model's; DICOM 500)"
    )
    parser.add_argument("--in-fs", metavar="HZ", help="rate of a file that does not state its own")
    _settings(parser, "unit", "mains")
    parser.add_argument(
        "--workers",
        metavar="N",
        type=whole("--workers", 1, MOST_PROCESSES),
        help="processes for a folder (default: one a core)",
    )
    parser.add_argument("--scheduler", metavar="URL", help="spread a folder over a Dask cluster: tcp://HOST:8786")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    _output(parser)


def _service_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="*", metavar="RUN", help="arguments of ecg-edge run, after --")
    parser.add_argument("--usb", metavar="VID:PID[:SERIAL]", help="start with this device (a udev rule is printed too)")
    parser.add_argument("--user", help="who runs it (default: you)")
    parser.add_argument("--folder", default="/var/lib/ecg-edge", help="where it may write (default: %(default)s)")
    _output(parser)


def _gateway_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("do", choices=("status", "add", "remove"), help="list the beds, add one, or remove one")
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the bed to add or to remove")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of the bed to add, as in the file: source=…")
    parser.add_argument("--socket", metavar="PATH", help="of the gateway (default: that of its file, else the usual)")
    parser.add_argument("--config", metavar="FILE", help="the gateway's file, where it names the socket")
    _output(parser)


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD", help="twelve-lead recording")
    parser.add_argument("--at", type=_AT, metavar="S", help="second at which the page begins (default: the last ten)")
    parser.add_argument("--out", metavar="FILE", help="PDF or PNG file (default: a PDF beside the record)")
    parser.add_argument("--patient", metavar="ID", help="for the head of the page (default: the recording's)")
    parser.add_argument("--name", help="of the person, for the head of the page (default: the recording's)")
    parser.add_argument("--force", action="store_true", help="replace the file where it is there")
    parser.add_argument(
        "--layout", choices=("3x4", "6x2", "12x1"), default="3x4", help="12x1: two pages (default: 3x4)"
    )
    parser.add_argument("--simultaneous", action="store_true", help="columns show the same seconds")
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="(default: a4)")
    parser.add_argument(
        "--speed", type=whole("--speed", 25, 50), choices=(25, 50), default=25, help="mm/s (default: 25)"
    )
    parser.add_argument(
        "--gain",
        choices=("5", "10", "20", "auto"),
        default="10",
        help="mm/mV; auto: 5 where waves are tall (default: 10)",
    )
    _of_file(parser)
    _output(parser)


def _measure_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD", help="recording of any format with at least one measured lead")
    parser.add_argument("--at", type=_AT, metavar="S", help="second from which ten are read (default: the last ten)")
    _of_file(parser)
    _output(parser)


def _info_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="file or name (default: list the shipped models)")
    _of_file(parser)
    _output(parser)


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="file or name")
    parser.add_argument("--against", metavar="FILE", help="another file of the same run, e.g. the fp32 one")
    parser.add_argument("--record", metavar="REC12", help="compare on this twelve-lead record (WFDB, CinC, CSV, EDF+)")
    parser.add_argument("--budget", default="rmse=5%,st=20uV,rpeak=0ms", help="what it may cost there (%(default)s)")
    _output(parser)


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--placement", metavar="E,E", help="draw a torso with these electrodes: RA,V2,V5")
    parser.add_argument("--out", metavar="FILE", help="of the drawing (default: printed)")
    parser.add_argument("--force", action="store_true", help="replace the file of --out where it is there")
    parser.add_argument("--recover", metavar="RECORD", help="repair the header of a recording that was cut off")
    _output(parser)


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    _settings(parser, "model", "seconds")
    parser.add_argument("--leads", metavar="L,L", help="where the patch sits: I,II (default), or RA-V5,RA-V2")
    parser.add_argument("--calibrated", action="store_true", help="calibrate to the patient while it runs")
    parser.add_argument("--headless", action="store_true", help="without the monitor")
    _settings(parser, "port", "out")
    _output(parser)


def _calibrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="M", help="model file or name (not with --patch)")
    parser.add_argument(
        "--patch", metavar="REC", help="find where a patch sits: its own channels, recorded together with --reference"
    )
    parser.add_argument("--patch-channels", metavar="X,Y", help="signals of --patch (default: those that are no leads)")
    parser.add_argument(
        "--reference", metavar="REC12", action="append", default=[], help="twelve-lead record; more than one may do"
    )
    parser.add_argument("--live", metavar="SOURCE", help="take a reference from a running twelve-lead device")
    parser.add_argument(
        "--seconds", metavar="N", type=Number("--seconds", 1, 600), default=12.0, help="of --live (default: 12)"
    )
    parser.add_argument("--channels", metavar="L", help="names of the channels of --live, in order")
    _settings(parser, "unit", "device", "gain", "baud")
    parser.add_argument("--leads", metavar="L", help="the measured leads, for a model that takes any")
    parser.add_argument(
        "--age", metavar="DAYS", type=Number("--age", 0, 1e5), action="append", help="age of each reference"
    )
    parser.add_argument("--patient", metavar="ID", required=True, help="whose references they are")
    parser.add_argument("--out", metavar="FILE", required=True, help="the calibration file")
    parser.add_argument("--fs", metavar="HZ", help="rate of a CSV file without times, or of the --live device")
    parser.add_argument(
        "--force", action="store_true", help="write though a reference is doubtful, or replace what is no calibration"
    )
    _settings(parser, "mains")
    _output(parser)


def _send_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD", help="recording of any format")
    parser.add_argument("url", metavar="URL", help="base of the service: https://server/fhir")
    parser.add_argument("--as", dest="kind", choices=("fhir", "dicomweb"), default="fhir", help="(default: fhir)")
    parser.add_argument("--at", type=_AT, metavar="S", help="second at which it begins (default: the last ten)")
    parser.add_argument(
        "--seconds", type=Number("--seconds", 1, 3600), metavar="N", default=10.0, help="how much is sent (default: 10)"
    )
    parser.add_argument("--token-file", metavar="FILE", help="bearer token (or $ECG_EDGE_SEND_TOKEN)")
    parser.add_argument("--plain-http", action="store_true", help="without TLS beyond this machine")
    _of_file(parser)
    _output(parser)


RUN = Verb("run", "twelve leads live from a device, a record or the synthetic heart", _run_arguments, _work("run"))
CALIBRATE = Verb(
    "calibrate", "fit a model's head to one person's twelve-lead record", _calibrate_arguments, _work("calibrate")
)
INFO = Verb("info", "what a model file is and how well it does", _info_arguments, _work("info"))
VERIFY = Verb(
    "verify", "whether a model file does here what it did where it was made", _verify_arguments, _work("verify")
)
DOCTOR = Verb("doctor", "whether this machine is ready", _doctor_arguments, _work("doctor"))
DEMO = Verb("demo", "a virtual patch, a run and the monitor: no hardware needed", _demo_arguments, _work("demo"))
REPLAY = Verb("replay", "play a recording through the same path as a device", _replay_arguments, _work("replay", "run"))
RECONSTRUCT = Verb(
    "reconstruct",
    "twelve leads of stored recordings, aligned, into files",
    _reconstruct_arguments,
    _work("reconstruct"),
)
CONVERT = Verb("convert", "a recording as EDF+, DICOM, parquet, CSV or FHIR", _convert_arguments, _work("convert"))
MEASURE = Verb(
    "measure",
    "heart rate, intervals, axes and ST of a recording",
    _measure_arguments,
    _work("measure", "hand_on.measure"),
)
SEND = Verb(
    "send", "ten seconds of a recording to a FHIR or DICOMweb server", _send_arguments, _work("send", "hand_on.send")
)
REPORT = Verb("report", "a twelve-lead page of a recording as PDF", _report_arguments, _work("report"))
SERVICE = Verb("service", "print a systemd unit and what to do with it", _service_arguments, _work("service"))
GATEWAY = Verb(
    "gateway",
    "what a running gateway does; add or remove a patch",
    _gateway_arguments,
    _work("gateway", "many.gateway"),
)
