"""The verb `train`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ecg_edge.firmware_bridge.cli.verb import Verb
from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.flags.numbers import MOST_PROCESSES, MOST_ROWS, whole
from ecg_edge.train.cli import gpu
from ecg_edge.train.cli.with_torch import torch_verb

_SHIPPED = "shipped"


def _configure_train(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--leads", help="measured leads, e.g. I,II; any: every subset of the basis")
    what.add_argument("--recipe", metavar="NAME|FILE", help="a shipped recipe (i-ii, any, ...) or a .yaml file")
    what.add_argument(
        "--queue",
        nargs="?",
        const=_SHIPPED,
        metavar="DIR",
        help="every recipe of a folder, one after the other (default: the shipped ones), into OUT/NAME",
    )
    what.add_argument(
        "--plan",
        nargs="?",
        const=_SHIPPED,
        metavar="FILE",
        help="many networks at once on one GPU, in so many --minutes (default: the shipped plan)",
    )
    parser.add_argument(
        "--init",
        type=Path,
        metavar="RUN|MODEL",
        help="start from these weights: a run, a model file, or a shipped model by its name",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        action="append",
        default=[],
        metavar="RUN|MODEL",
        help="learn from what these networks say in place of the truth, from their mean where there are several",
    )
    parser.add_argument("--data", help="PTB-XL folder (default: $ECG_EDGE_DATA)")
    parser.add_argument("--out", type=Path, help="run folder (default: runs/NAME; with --queue: runs)")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        default="never",
        choices=("auto", "never"),
        help="auto: continue, bit for bit, where the run folder holds something to continue",
    )
    parser.add_argument(
        "--limit", type=whole("--limit", 1, MOST_ROWS), metavar="N", help="use only the first N records of each part"
    )
    parser.add_argument(
        "--threads",
        type=whole("--threads", 1, MOST_PROCESSES),
        default=1,
        metavar="N",
        help="threads of torch (default 1)",
    )
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument(
        "--devices",
        type=whole("--devices", 1, MOST_PROCESSES),
        metavar="N",
        help="processes or GPUs on this machine (default 1)",
    )
    parser.add_argument(
        "--nodes",
        type=whole("--nodes", 1, MOST_PROCESSES),
        metavar="N",
        help="machines (default 1; torchrun says it itself)",
    )
    parser.add_argument(
        "--precision", choices=("32", "mixed"), default="32", help="mixed: bfloat16 where the GPU has it (default 32)"
    )
    parser.add_argument(
        "--workers",
        type=whole("--workers", 0, MOST_PROCESSES),
        metavar="N",
        help="processes that draw the batches ahead (default: with a GPU the other cores, else none)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of train.train_spec.TrainSpec or train.network.NetSpec, e.g. epochs=26, lookahead=12",
    )
    gpu.configure_plan(parser)


def _check_leads(text: str) -> None:
    """Refuse what is no lead before torch is loaded."""
    from ecg_edge.firmware_bridge.lead_names import LEADS, parse_channels

    try:
        if text not in ("any", "any-electrode"):
            parse_channels(text)
    except UsageError as e:
        raise UsageError(
            f"--leads {text}: {e.message}", f"name them: --leads I,II (of {', '.join(LEADS)}), or any"
        ) from e


def _train(args: argparse.Namespace) -> int:
    if args.plan:
        return gpu.train_plan(args)
    if args.leads:
        _check_leads(args.leads)
    torch_verb(args.threads)
    if args.workers is not None and args.workers < 0:
        raise UsageError(f"--workers {args.workers} is negative", "give 0 to draw in the same process")
    from ecg_edge.train.jobs import recipe, recipe_queue
    from ecg_edge.train.jobs.job import Job, train
    from ecg_edge.train.learning.hardware import launched

    if args.queue:
        if args.init or args.teacher:
            fix = "name them in the recipe: init: NAME, teachers: [NAME]"
            raise UsageError("--init and --teacher belong to one run", fix)
        where = recipe.SHIPPED if args.queue == _SHIPPED else Path(args.queue)
        queue = recipe_queue.jobs(where, args.out or Path("runs"), args.set)
        queue = recipe_queue.with_data(queue, args.data, args.limit)
        with launched(args.accelerator, args.devices, args.nodes, args.precision) as fabric:
            return recipe_queue.run(queue, lambda job: train(job, fabric, args.workers))
    one = recipe.read(recipe.find(args.recipe), args.set) if args.recipe else recipe.from_leads(args.leads, args.set)
    out = args.out or Path("runs") / one.name
    fresh = not (out / "last.pt").exists()
    init = args.init or (_run_of(one.init, fresh) if one.init else None)
    teachers = tuple(args.teacher) or tuple(_run_of(t) for t in one.teachers)
    job = Job(one, out, args.data, init, args.limit, args.resume == "auto", teachers)
    with launched(args.accelerator, args.devices, args.nodes, args.precision) as fabric:
        return train(job, fabric, args.workers)


def _run_of(init: str, fresh: bool = True) -> Path:
    """The run folder a recipe starts or learns from: ``runs/NAME`` for another recipe, else as it is written."""
    from ecg_edge.train.jobs import recipe

    if init not in recipe.shipped():
        return Path(init)
    run = Path("runs") / init
    if fresh and not (run / "best.pt").exists():
        raise UsageError(
            f"this recipe goes on from {init}, which is not in {run}",
            f"ecg-edge train --recipe {init} first, or --queue for all, or --init with a run or a model",
        )
    return run


TRAIN = Verb("train", "train a causal U-Net on PTB-XL", _configure_train, _train)
