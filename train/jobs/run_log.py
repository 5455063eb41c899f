"""What a run reports while it trains: lines on the screen and in ``run.log``, TensorBoard, curves, a card."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecg_edge.firmware_bridge.console import hint
from ecg_edge.firmware_bridge.errors import MissingExtraError
from ecg_edge.train.runs.run_folder import RunFolder


class RunLog:
    """The log of one run folder.

    Parameters
    ----------
    run : RunFolder
        Where ``run.log``, ``tensorboard/``, ``curves.png`` and ``README.md`` lie.
    silent : bool
        Write and say nothing: this is not the first of several processes.
    now : callable
        Local time as text, for the lines of the log.
    """

    def __init__(
        self, run: RunFolder, silent: bool = False, now: Callable[[], str] = lambda: time.strftime("%Y-%m-%d %H:%M:%S")
    ) -> None:
        self._run, self._silent, self._now = run, silent, now
        self._board: Any = None

    def say(self, text: str) -> None:
        """Show a text, and log it."""
        if self._silent:
            return
        hint(text)
        with (self._run.path / "run.log").open("a") as f:
            f.writelines(f"{self._now()}  {line}\n" for line in text.splitlines())

    def epoch(self, row: dict[str, Any]) -> None:
        """Report the figures of an epoch."""
        leads = "  ".join(f"{lead} {fig['r']:.3f}" for lead, fig in row["leads"].items())
        mean = row["mean"]
        self.say(
            f"epoch {row['epoch']}: loss {row['loss']:.4f}  validation r {mean['r']:.4f} RMSE {mean['rmse_mv']:.4f} mV"
            f"  ({leads})  {row['seconds']:.0f} s"
        )
        if not self._silent:
            self._scalars(row)

    def _scalars(self, row: dict[str, Any]) -> None:
        """The same for TensorBoard, where it is installed."""
        if self._board is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                self._board = False
                return
            self._board = SummaryWriter(str(self._run.path / "tensorboard"), purge_step=row["epoch"])
        if not self._board:
            return
        at = row["epoch"]
        self._board.add_scalar("train/loss", row["loss"], at)
        self._board.add_scalar("train/lr", row["lr"], at)
        for name, figures in {"mean": row["mean"], **row["leads"]}.items():
            for key in ("r", "rmse_mv"):
                self._board.add_scalar(f"validation/{key}/{name}", figures[key], at)
        self._board.flush()

    def close(self) -> None:
        """Draw the curves and write the card of what is there so far."""
        if self._board:
            self._board.close()
        rows = self._run.history()
        if self._silent or not rows:
            return
        try:
            from ecg_edge.train.evaluation.plots import training_curves

            training_curves(rows, self._run.path / "curves.png")
        except MissingExtraError:
            pass  # the figures are in history.jsonl; a headless machine may do without the picture
        (self._run.path / "README.md").write_text(card(self._run.read_config(), rows))


def card(config: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """What the folder holds and how it came to be, as Markdown."""
    best = min(rows, key=lambda r: r["mean"]["rmse_mv"])
    net, data = config["net"], config["dataset"]
    what = "any leads" if net["any_lead"] else ", ".join(net["input_leads"])
    lines = [
        f"# A training run: {what}",
        "",
        f"- data: {data['name']}, {config['records']['train']:,} records to train, "
        f"{config['records']['validation']:,} to validate, {len(config['excluded'])} left out; {data['licence']}",
        f"- {len(rows)} of {config['train']['epochs']} epochs; best: epoch {best['epoch']}, "
        f"r {best['mean']['r']:.4f}, RMSE {best['mean']['rmse_mv']:.4f} mV on the validation records",
        f"- started from: {config.get('init') or 'nothing'}; commit {config['commit'] or 'unknown'}; "
        + ", ".join(f"{k} {v}" for k, v in config["packages"].items()),
        *([f"- learned what {', '.join(config['teachers'])} say, not the truth"] if config.get("teachers") else []),
        f"- device: {config.get('hardware', 'unknown')}",
        "",
        "| file | what |",
        "|---|---|",
        "| `recipe.yaml` | every setting: `ecg-edge train --recipe recipe.yaml` trains it again |",
        "| `config.json` | the same, with versions, commit and the records left out, each with its reason |",
        "| `run.log`, `history.jsonl`, `curves.png`, `tensorboard/` | what happened, epoch by epoch |",
        "| `last.pt`, `best.pt` | checkpoints: the last epoch, and the best on the validation records |",
        "| `calibration.npz` | what a model file says beside the weights; there once training has finished |",
        "",
        "## Best epoch, validation records",
        "",
        "| lead | r | RMSE mV |",
        "|---|---:|---:|",
        *(f"| {lead} | {f['r']:.4f} | {f['rmse_mv']:.4f} |" for lead, f in best["leads"].items()),
        f"| mean | {best['mean']['r']:.4f} | {best['mean']['rmse_mv']:.4f} |",
        "",
        "Not a medical device. Reconstructed leads are estimates, not for diagnosis.",
        "",
        "## Settings",
        "",
        "```json",
        json.dumps({"network": net, "training": config["train"]}, indent=1),
        "```",
    ]
    return "\n".join(lines) + "\n"


def settings_yaml(name: str, init: str, data: str, config: dict[str, Any]) -> str:
    """The settings of a run as a recipe."""
    net = {k: v for k, v in config["net"].items() if k not in ("input_leads", "any_lead", "any_electrode")}
    kind = "any-electrode" if config["net"].get("any_electrode") else "any"
    leads = kind if config["net"]["any_lead"] else list(config["net"]["input_leads"])
    sections = {"network": net, "training": config["train"]}
    lines = [f"name: {name}", f"leads: {json.dumps(leads)}", f"init: {json.dumps(init)}"]
    lines += [f"teachers: {json.dumps(config.get('teachers', []))}", f"data: {data}"]
    for section, settings in sections.items():
        lines.append(f"{section}:")
        lines += [f"  {k}: {json.dumps(list(v) if isinstance(v, tuple) else v)}" for k, v in settings.items()]
    return "\n".join(lines) + "\n"


def leave_settings(run: RunFolder, text: str) -> Path:
    """Write ``recipe.yaml`` into the run folder."""
    path = run.path / "recipe.yaml"
    path.write_text(text)
    return path
