"""What `data pack` and `train --plan` do: records made ready for a GPU elsewhere, and the run there.

Where the package is not installed, ``python -m ecg_edge.train.cli.gpu --plan shipped …`` is ``ecg-edge train …``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.errors import EcgEdgeError, UsageError
from ecg_edge.firmware_bridge.flags.numbers import MOST_ROWS, Number, whole

TEACHERS = ("i", "ii", "i-ii", "i-ii-v2", "i-ii-v3", "i-ii-v2-v5", "any")
_PIECE_MB = 52.0


def configure_pack(parser: argparse.ArgumentParser) -> None:
    """Options of `data pack`."""
    parser.add_argument("--data", help="PTB-XL folder (default: $ECG_EDGE_DATA)")
    parser.add_argument("--field", metavar="DIR", help="records of other recorders, trained on beside it")
    parser.add_argument("--out", type=Path, default=Path("pieces"), metavar="DIR", help="default: pieces")
    parser.add_argument(
        "--piece-mb",
        type=Number("--piece-mb", 0.1, 1e6),
        default=_PIECE_MB,
        help="records in one piece (default %(default)s)",
    )
    parser.add_argument("--no-teachers", action="store_true", help="without the shipped networks as weights")
    parser.add_argument(
        "--limit", type=whole("--limit", 1, MOST_ROWS), metavar="N", help="use only the first N records of each part"
    )


def pack(args: argparse.Namespace) -> int:
    """Pack prepared records, this code and the shipped networks."""
    from ecg_edge.device.conditioning.spec import ConditioningSpec
    from ecg_edge.train.cli.with_torch import torch_verb
    from ecg_edge.train.data import ptbxl
    from ecg_edge.train.data.datasets import open_dataset
    from ecg_edge.train.data.prepare import prepare
    from ecg_edge.train.runs.run_folder import data_root

    torch_verb(1)
    from ecg_edge.train.gpu import carry, pieces

    root, spec = data_root(args.data), ConditioningSpec()
    train = prepare(root, ptbxl.TRAIN_FOLDS, spec, args.limit, "training records")
    validation = prepare(root, (ptbxl.VALIDATION_FOLD,), spec, args.limit, "validation records")
    field = None
    if args.field:
        field = prepare(open_dataset(f"field:{args.field}"), ptbxl.TRAIN_FOLDS, spec, args.limit, "field records")
    made = pieces.pack(train, validation, field, args.out, args.piece_mb)
    for piece in made:
        carry.code(piece)
    if not args.no_teachers:
        carry.shipped_weights(made[-1], TEACHERS, train)
    for piece in made:
        size = sum(f.stat().st_size for f in piece.iterdir())
        sys.stdout.write(f"{piece}: {size / 1e6:.1f} MB\n")
    hint("next: carry each piece to the GPU; see docs/how-to/train-on-a-gpu.md")
    return 0


def configure_plan(parser: argparse.ArgumentParser) -> None:
    """Options of `train --plan` beside those of `train`."""
    parser.add_argument(
        "--minutes",
        type=Number("--minutes", 0.01, 1e5),
        default=10.0,
        help="with --plan: for all of it (default %(default)s)",
    )
    parser.add_argument("--piece", type=Path, action="append", default=[], metavar="DIR",
                        help="with --plan: a piece of records to unpack, once each")  # fmt: skip
    parser.add_argument("--work", type=Path, default=Path("gpu-work"), metavar="DIR",
                        help="with --plan: what later calls use again (default: gpu-work)")  # fmt: skip
    parser.add_argument("--try", dest="trial", action="store_true", help="with --plan: all of it for a short time")


def train_plan(args: argparse.Namespace) -> int:
    """Train the networks of a plan."""
    from ecg_edge.train.cli.with_torch import torch_verb

    torch_verb(1)
    from ecg_edge.train.gpu import plan
    from ecg_edge.train.gpu.run import Run

    if args.minutes < 0.5:
        raise UsageError(f"--minutes {args.minutes:g} leaves no time to train", "give 2 or more")
    networks = plan.read(plan.PLAN if args.plan == "shipped" else Path(args.plan))
    out = args.out or Path("gpu-out")
    run = Run(networks, args.minutes, args.piece, args.work, out, args.trial, tuple(args.set), args.limit, _line)
    code = run.go()
    hint(f"next: unpack {out}/weights-*.tar, then ecg-edge train --recipe NAME --out runs/NAME --resume auto")
    return code


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", default="shipped", metavar="FILE")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--limit", type=whole("--limit", 1, MOST_ROWS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    configure_plan(parser)


if __name__ == "__main__":
    own = argparse.ArgumentParser()
    _configure(own)
    try:
        sys.exit(train_plan(own.parse_args()))
    except EcgEdgeError as e:
        sys.exit(f"{e.message}\nfix: {e.fix}")
