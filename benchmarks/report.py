"""The benchmark page: Markdown from one JSON document, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecg_edge.benchmarks import table

Doc = dict[str, Any]


def plain(doc: Doc) -> str:
    """Tables for a terminal."""
    from ecg_edge.device.console import table as columns

    return columns([list(table.HEAD), *(table.cells(row) for row in doc["models"])])


def markdown(doc: Doc) -> str:
    """The whole page."""
    parts = [_intro(doc), _models(doc)]
    for key, section in (("rivals", _rivals), ("live", _live), ("growth", _growth), ("front", _front)):
        found = doc.get(key)
        if isinstance(found, dict) and "why_not" in found:
            parts.append(f"## {key.capitalize()}\n\nNot measured: {found['why_not']}.")
        elif found:
            parts.append(section(found))
    return "\n\n".join([*parts, _BOARDS, _ELSEWHERE]) + "\n"


def _intro(doc: Doc) -> str:
    m = doc["machine"]
    facts = "; ".join(f"{k} {v}" for k, v in m.items() if k not in ("packages", "cpu") and v not in (None, ""))
    packages = ", ".join(f"{k} {v}" for k, v in m["packages"].items())
    return (
        "# Benchmarks\n\n"
        f"Written by `ecg-edge bench --suite` ({doc['command']}). One run on one machine: {m['cpu']}; {facts}; "
        f"{packages}. Absolute times belong to this machine and its load; the ratios were taken in turns within the "
        "run, on processor time, and are what carries over; in brackets the quartiles over the turns, within which a "
        "second run should fall about half of the time."
    )


def _rows(head: tuple[str, ...] | list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows])


def _models(doc: Doc) -> str:
    return (
        "## One hop, file by file\n\n"
        "Each row in a process of its own: start-up from its first line to a ready session; latency of the body per "
        f"hop of {doc['models'][0].get('hop_ms', 80):g} ms at full speed, and at the real pace from the hop's due time "
        "to its features; share of one core per second of signal; largest memory.\n\n"
        + _rows(table.HEAD, [table.cells(row) for row in doc["models"]])
    )


def _rivals(d: Doc) -> str:
    rows = [
        [r["name"], f"{r['latency_ms']:g}", f"{r['ms_per_hop']:.3f}", f"{r['core_percent']:.2f}", f"{r['mb']:.2f}",
         f"{r['ratio']:.1f} ({r['ratio_quartiles'][0]:.1f}–{r['ratio_quartiles'][1]:.1f})"]
        for r in d["rows"]
    ]  # fmt: skip
    return (
        "## Against what one would run instead\n\n"
        f"One process, one thread, {d['rounds']} turns, processor time; a new output every {d['hop_ms']:g} ms from "
        f"each. A network that cannot stream is run over its whole window for every hop. Ratio: to our streaming file "
        "in the same runtime and arithmetic, with quartiles over the turns of this run; from run to run, with sessions "
        "opened anew, ratios agree within 5 %. The windows of the last three are their designs'; their layer plans "
        "follow published descriptions where those are complete (`benchmarks/rival_nets.py` says what is assumed), "
        "weights are random, "
        "nothing is said of their accuracy. Their algorithmic latency is one hop only because an offline network sees "
        "no future beyond its window's end, where it is worst.\n\n"
        + _rows(("what", "algorithmic latency ms", "ms per hop", "% core", "file MB", "ratio"), rows)
        + "\n\n![Cost of each alternative](benchmarks-rivals.png)"
    )


def _live(d: Doc) -> str:
    stages = _rows(("stage", "% core"), [[k, f"{v:.2f}"] for k, v in d["stages_percent"].items()])
    out = (
        "## The live path\n\n"
        "EcgLink frames of 10 ms, two leads at 250 Hz, at full speed, each stage alone and the whole as `run` puts it "
        f"together ({d['whole_percent']:.2f} % of a core: **{d['patches_per_core']:.0f} patches per core**).\n\n"
        + stages
    )
    if run := d.get("run"):
        terms = "; ".join(f"{k} {v:g}" for k, v in run["latency_ms"]["terms"].items())
        out += (
            f"\n\nAt wall-clock pace, `run --monitor --out` for {run['seconds']:g} s: {run['core_percent']:.1f} % of a "
            f"core, {run['rss_mb']:.0f} MB. From the arrival of a hop's last byte to its rows: p50 "
            f"{run['latency_ms']['p50']:.2f} ms, p99 {run['latency_ms']['p99']:.2f} ms, max "
            f"{run['latency_ms']['max']:.2f} ms; the terms of the whole latency in ms: {terms}. Cold start, from the "
            f"command to the first reconstructed rows on disk: {run['cold_start_s']:.2f} s, of which imports and the "
            "session take most; the rest is the patch's greeting, the first hop and the recorder's flush."
        )
    if screen := d.get("screen"):
        out += "\n\nFrom the instant an R peak is sampled to the frame that draws it, seen in the pixels of Chromium: "
        out += screen.get("why_not") or (
            f"p50 {screen['p50_ms']:.0f} ms, p95 {screen['p95_ms']:.0f} ms, max {screen['max_ms']:.0f} ms over "
            f"{screen['beats']} beats: all terms above and the display's smoothing, but not the screen's refresh."
        )
    return out


def _growth(d: Doc) -> str:
    parts = ["## How cost grows\n\nPercent of a core per stream, body and head, fp32 with random weights, in turns."]
    for name in ("hop", "width", "fs", "outputs"):
        if found := d.get(name):
            parts.append(_rows([name, *found], [["% core", *(f"{v:.2f}" for v in found.values())]]))
    if gateway := d.get("gateway"):
        rows = [[f"{r['streams']:g}", f"{r['core_percent']:.1f}", f"{r['each_percent']:.2f}"] for r in gateway]
        parts.append(
            "Concurrent streams on one session (body and head):\n\n" + _rows(("streams", "% core", "each"), rows)
        )
    return "\n\n".join(parts) + "\n\n![Growth](benchmarks-growth.png)"


def _front(d: Doc) -> str:
    rows = [
        [
            p["name"],
            f"{p['latency_ms']:g}",
            f"{p['kb']:.0f}" if p["kb"] else "–",
            f"{p['r']:.3f}",
            f"{p['rmse_mv']:.4f}",
        ]
        for p in d["points"]
    ]
    return (
        "## Accuracy, latency, size\n\nThe shipped files on PTB-XL fold 10, and the look-ahead study where it has been "
        "run (a quarter of the records, few epochs: rows of one study compare with each other only).\n\n"
        + _rows(("what", "algorithmic latency ms", "file KB", "r", "RMSE mV"), rows)
        + "\n\n![Front](benchmarks-front.png)"
    )


_ELSEWHERE = """## On your Pi or Jetson

```sh
pip install "ecg-edge[tflite,plot]"
ecg-edge bench --suite --out report/
```

Without torch the alternatives and the growth tables are left out, and say so; everything else is the same. The
page names governor, frequency, temperature and (on a Pi) what the firmware says of throttling; on a Jetson the INA
rail gives joules, elsewhere `--meter FILE` takes an external meter's CSV (`time_s,power_w`). Set the governor to
`performance`, let the board cool, run it twice. A gate for a build: `ecg-edge bench i-ii-int8 --floor p99=20`."""


_BOARDS = """## Run this on your Pi or Jetson

```sh
sudo apt-get install -y python3-venv chromium        # the browser only for the last figure of the live path
python3 -m venv ecg && . ecg/bin/activate
pip install "ecg-edge[web,tflite]"                   # Pi: onnxruntime and LiteRT
pip install --no-deps ecg-edge && pip install -r requirements-jetson.txt   # Jetson instead: NVIDIA's onnxruntime-gpu
ecg-edge doctor && ecg-edge verify i-ii-int8         # the same answers as where the file was made
ecg-edge bench --suite --out report/                 # this page for your board, some minutes
ecg-edge bench i-ii-int8 --floor p99=20 --floor core=5   # as a gate: exit status 3 above it
```

The page then holds the board's name, governor, temperature and throttling flags, and joules where it tells them. What
needs torch (the alternatives) says so in place of figures. Tried for function, not for speed, on an emulated Cortex-A72
(`make test-aarch64`): both runtimes verify the shipped file, a patch through a pseudo-terminal is reconstructed and
recorded, a calibration is fitted and `bench` measures; the recorded leads are those of x86 to the last microvolt."""


def plots(doc: Doc, folder: Path) -> list[Path]:
    """Figures beside the page; none where matplotlib is missing.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    from ecg_edge.firmware_bridge.errors import MissingExtraError

    try:
        import matplotlib
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    out = []
    if rows := (doc.get("rivals") or {}).get("rows"):
        fig, ax = plt.subplots(figsize=(8, 4))
        ax.barh([r["name"] for r in rows][::-1], [r["core_percent"] for r in rows][::-1], color="#3b6ea5")
        ax.set_xscale("log")
        ax.set_xlabel("% of a core, a new output every hop")
        out.append(_save(fig, folder / "benchmarks-rivals.png"))
    if growth := doc.get("growth"):
        names = [n for n in ("hop", "width", "fs", "outputs") if n in growth]
        fig, axes = plt.subplots(1, max(1, len(names)), figsize=(11, 3), squeeze=False)
        for ax, name in zip(axes[0], names, strict=False):
            ax.plot(list(growth[name]), list(growth[name].values()), "o-", color="#3b6ea5")
            ax.set_title(name)
            ax.set_ylim(bottom=0)
            ax.tick_params(axis="x", rotation=30)
        axes[0][0].set_ylabel("% of a core")
        out.append(_save(fig, folder / "benchmarks-growth.png"))
    if points := (doc.get("front") or {}).get("points"):
        fig, ax = plt.subplots(figsize=(7, 4))
        for p in points:
            ax.scatter(p["latency_ms"], p["r"], s=20 + p["kb"] / 4, alpha=0.6, color="#3b6ea5")
            ax.annotate(p["name"], (p["latency_ms"], p["r"]), fontsize=7)
        ax.set_xlabel("algorithmic latency, ms")
        ax.set_ylabel("r, hidden leads (area: file size)")
        out.append(_save(fig, folder / "benchmarks-front.png"))
    return out


def _save(fig: Any, path: Path) -> Path:
    from matplotlib import pyplot as plt

    fig.tight_layout()
    fig.savefig(path, dpi=110)
    plt.close(fig)
    return path
