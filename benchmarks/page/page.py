"""The benchmark page: Markdown from one JSON document."""

from __future__ import annotations

from typing import Any

from ecg_edge.benchmarks.hop_cost import table

Doc = dict[str, Any]
_SECTIONS = {
    "family": "Every backend, precision, hop and number of threads",
    "rivals": "Against what one would run instead",
    "live": "The live path",
    "gateway": "Several patches on one gateway",
    "cold": "Cold start",
    "growth": "How cost grows",
    "front": "Accuracy, latency, size",
}


def plain(doc: Doc) -> str:
    """Tables for a terminal."""
    from ecg_edge.firmware_bridge.console import table as columns

    rows = [*doc["models"], *_family_rows(doc)]
    latency = columns([list(table.LATENCY), *(table.latency_cells(row) for row in rows)])
    sizes = columns([list(table.FOOTPRINT), *(table.footprint_cells(row) for row in table.footprints(rows))])
    return f"{latency}\n\n{sizes}"


def markdown(doc: Doc) -> str:
    """The whole page."""
    from ecg_edge.benchmarks.page.boards import BOARDS

    parts = [_intro(doc), _models(doc)]
    write = {
        "family": _family, "rivals": _rivals, "live": _live, "gateway": _gateway, "cold": _cold, "growth": _growth,
        "front": _front,
    }  # fmt: skip
    for key, title in _SECTIONS.items():
        if not (found := doc.get(key)):
            continue
        text = f"Not measured: {found['why_not']}." if "why_not" in found else write[key](found)
        parts.append(f"## {title}\n\n{text}")
    return "\n\n".join([*parts, BOARDS]) + "\n"


def _family_rows(doc: Doc) -> list[table.Row]:
    return list((doc.get("family") or {}).get("rows", []))


def _facts(found: Doc) -> str:
    """Said in one line; the processor and the packages are said elsewhere."""
    return "; ".join(f"{k} {v}" for k, v in found.items() if k not in ("packages", "cpu") and v not in (None, ""))


def _intro(doc: Doc) -> str:
    m = doc["machine"]
    packages = ", ".join(f"{k} {v}" for k, v in m["packages"].items())
    after = f" At the end: {_facts(doc['machine_after'])}." if doc.get("machine_after") else ""
    joules = next((r["energy_source"] for r in doc["models"] if r.get("energy_source")), "")
    return (
        "# Benchmarks\n\n"
        f"Written by `{doc['command']}`. One run on one machine: {m['cpu']}; {_facts(m)}; {packages}.{after} "
        f"Energy: {joules or 'this machine tells none'}. Absolute times belong to this machine and its load. "
        "The ratios carry over: they were taken in turns within the run, on processor time."
    )


def _rows(head: tuple[str, ...] | list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(r) + " |" for r in rows])


def _both(rows: list[table.Row]) -> str:
    sizes = [table.footprint_cells(row) for row in table.footprints(rows)]
    latency = [table.latency_cells(row) for row in rows]
    return _rows(table.LATENCY, latency) + "\n\n" + _rows(table.FOOTPRINT, sizes)


def _models(doc: Doc) -> str:
    return (
        "## One hop, file by file\n\n"
        "Each row in a process of its own. Latency of the body per hop at full speed: p50 to max, and jitter, the "
        "standard deviation. Paced: from the hop's due time to its features. Misses ended after the next hop was due; "
        "a longer delay than at full speed is the wake-up. The columns % core and mJ are per second of signal, energy "
        "of the whole board or package at full speed. Start-up is from the process's first line to a ready "
        "session, RSS the largest memory, MMAC/s millions of multiplications for a second of signal.\n\n"
        + _both(doc["models"])
    )


def _family(d: Doc) -> str:
    return (
        "The shipped geometry (I and II in, six leads out) from random weights. Only 8-bit files are shipped, and the "
        "cost of a hop does not depend on the weights. Torch runs the network itself. A longer hop waits "
        "longer and costs less. `ecg-edge bench RUN` measures a training run's own files.\n\n" + _both(d["rows"])
    )


def _rivals(d: Doc) -> str:
    rows = []
    for r in d["rows"]:
        low, high = r["ratio_spread"]
        acc, memory = r["accuracy"], r["memory_mb"]
        rows.append(
            [r["name"], f"{r['latency_ms']:g}", f"{r['ms_per_hop']:.3f}", f"{r['core_percent']:.2f}",
             "–" if memory is None else f"{memory:.1f}", f"{r['mb']:.2f}",
             *((f"{acc['r']:.3f}", f"{acc['rmse_mv']:.4f}", acc["where"]) if acc else ("–", "–", "random weights")),
             f"{r['ratio']:.3g} ({low:.3g}–{high:.3g})"]
        )  # fmt: skip
    head = ("what", "algorithmic latency ms", "ms per hop", "% core", "memory MB", "file MB", "r", "RMSE mV",
            "accuracy of", "ratio")  # fmt: skip
    return (
        f"One process, one thread, {d['openings']} times {d['rounds']} turns, sessions opened anew in between, "
        f"processor time; a new output every {d['hop_ms']:g} ms from each. A network that cannot stream is run over "
        "its whole window for every hop. Ratio: to our streaming file in the same runtime and arithmetic, with the "
        "lowest and the highest quartile of either opening. A second run is held to that spread. The medians "
        f"of the two openings differ by {d['openings_apart_percent']:.1f} % at most. Memory is what opening and "
        "running it adds to a process that has the runtime. Accuracy: r and RMSE, means over the hidden leads, on the "
        "same records of PTB-XL fold 10 for all that have been trained. A study's rows saw a quarter of the training "
        "records and compare with each other only"
        + (
            f" (ours in that study: r {d['study']['r']:.3f}, RMSE {d['study']['rmse_mv']:.4f} mV)"
            if d.get("study")
            else ""
        )
        + ". Run over its window our network gives the same output as streamed. The last two follow published "
        "descriptions where those are complete; `benchmarks/rivals/rival_nets.py` says what is assumed. They run in "
        "windows of their designs' length, with random weights: of their accuracy nothing is said. An offline "
        "network's latency is one hop only because it sees no future beyond its window's end, where it is worst.\n\n"
        + _rows(head, rows)
        + "\n\n![Cost of each alternative](benchmarks-rivals.png)"
    )


def _live(d: Doc) -> str:
    whole = d["whole_ms"]
    stages = [[k, f"{v:.3f}", f"{100 * v / whole:.0f} %"] for k, v in d["stages_ms"].items()]
    out = (
        "### At full speed\n\nEcgLink frames of 10 ms, two leads at 250 Hz, processor time per hop of 80 ms. Each "
        "stage is measured alone. All are measured in one thread, through a real pseudo-terminal into a recording and "
        "the monitor's frames. The rows add up to the total. What is left is what no stage alone shows: joining "
        "blocks, the guard against gaps, calls, and caches that each stage leaves cold for the next.\n\n"
        + _rows(("stage", "ms per hop", "share"), [*stages, ["**total**", f"{whole:.3f}", "100 %"]])
        + f"\n\nBytes to rows alone, without pseudo-terminal and sinks: {d['path_percent']:.2f} % of a core, "
        f"**{d['patches_per_core']:.0f} patches per core** at full speed in one thread."
    )
    if run := d.get("run"):
        out += (
            "\n\n### At the real pace\n\n"
            f"`run --monitor --out` for {run['seconds']:g} s: {run['core_percent']:.1f} % of a core, "
            f"{run['rss_mb']:.0f} MB. From the arrival of a hop's last byte to its rows: p50 "
            f"{run['latency_ms']['p50']:.2f} ms, p99 {run['latency_ms']['p99']:.2f} ms, max "
            f"{run['latency_ms']['max']:.2f} ms."
        )
    screen = d.get("screen")
    if screen and "why_not" in screen:
        out += f"\n\nThe way to the pixels was not measured: {screen['why_not']}."
    elif screen and run:
        out += "\n\n" + _to_the_pixels(run["latency_ms"]["terms"], screen)
    frames = d.get("frames")
    if frames and "why_not" not in frames:
        out += (
            f"\n\nThe monitor with twelve leads at {frames['fs']} Hz, layout {frames['layout']}, "
            f"{frames['size'][0]} × {frames['size'][1]} pixels, in headless Chromium on this machine's processor "
            f"(no GPU): {frames['fps']:.1f} frames per second. From one to the next: p50 {frames['p50_ms']:.1f} ms, "
            f"p99 {frames['p99_ms']:.1f} ms; {frames['dropped']} blocks dropped."
        )
    return out


def _to_the_pixels(terms: dict[str, float], screen: Doc) -> str:
    total = screen["p95_ms"]
    named = {k: v for k, v in terms.items() if k != "sum"}
    rest = total - sum(named.values())
    words = {
        "device filter": "patch: its own filter", "frame": "patch: filling a frame",
        "resampler": "conditioner: resampler", "algorithmic": "network: look-ahead and hop",
        "compute": "decoder to rows, from the last byte (p50)",
    }  # fmt: skip
    rows = [[words.get(k, k), f"{v:.1f}", f"{100 * v / total:.0f} %"] for k, v in named.items()]
    rows += [
        ["what is left: pseudo-terminal, sink, browser and its smoothing", f"{rest:.1f}", f"{100 * rest / total:.0f} %"]
    ]
    return (
        "From the instant an R peak is sampled to the frame that draws it, seen in the pixels of Chromium. p50 "
        f"{screen['p50_ms']:.0f} ms, p95 {screen['p95_ms']:.0f} ms, max {screen['max_ms']:.0f} ms over "
        f"{screen['beats']} beats, without the screen's refresh. The terms are those of a sample that waits for the "
        "whole hop, so they are held against the p95.\n\n"
        + _rows(("stage", "ms", "share"), [*rows, ["**total (p95)**", f"{total:.1f}", "100 %"]])
    )


def _gateway(d: Doc) -> str:
    path, first, last = d["path_ms"], d["rows"][0], d["rows"][-1]
    rows = [
        [f"{r['patches']}", f"{r['core_percent']:.1f}", f"{r['core_percent'] / r['patches']:.2f}", f"{r['rss_mb']:.0f}",
         f"{r['p50_ms']:.1f}", f"{r['p99_ms']:.1f}", f"{r['samples_lost']}", f"{r['dropped_blocks']}"]
        for r in d["rows"]
    ]  # fmt: skip
    return (
        f"`run --config`, each patch recorded, {d['seconds']:g} s at the real pace. Two leads at 250 Hz in frames of "
        "10 ms from pseudo-terminals; one process with a reader and a run for every patch. Latency from a hop's last "
        f"byte to its rows, of the worst patch. Each further patch costs {d['each_percent']:.2f} % of a core: "
        f"**{d['patches_per_core']:.0f} patches per core** at the real pace{_late(d)}. "
        f"Against full speed: bytes to rows take {path['fast']:.2f} ms per hop in one thread without a pause and "
        f"{path['paced']:.2f} ms with one before every hop, as at the real pace. The recording is added to that, and "
        f"threads that wait for each other: each patch's wait {first['waits_per_s']:.0f} times a second in the first "
        f"row and {last['waits_per_s']:.0f} times in the last.\n\n"
        + _rows(("patches", "% core", "each", "RSS MB", "p50 ms", "p99 ms", "samples lost", "blocks dropped"), rows)
    )


def _late(d: Doc) -> str:
    beyond = [r["patches"] for r in d["rows"] if r["patches"] > d["keeps_up_with"]]
    if not beyond:
        return ""
    return f", from the rows that keep up; with {beyond[0]} this machine falls behind"


def _cold(d: Doc) -> str:
    total = d["total_s"]
    rows = [[k, f"{1e3 * v:.0f}", f"{100 * v / total:.0f} %"] for k, v in d["steps"].items()]
    largest = max(d["steps"], key=lambda k: float(d["steps"][k]))
    return (
        f"From the start of the process to the first reconstructed row on disk: {total:.2f} s (the median of "
        f"{d['starts']} starts of a run on a virtual patch). Most of it is: {largest}. The first hops cannot be "
        "faster: the first row that is not from before the stream comes with the second hop, 160 ms of signal.\n\n"
        + _rows(("step", "ms", "share"), [*rows, ["**total**", f"{1e3 * total:.0f}", "100 %"]])
    )


def _growth(d: Doc) -> str:
    parts = ["Percent of a core per stream, body and head, fp32 with random weights, in turns."]
    if why := d.get("shapes_why_not"):
        parts = [f"Networks of other shapes: not measured: {why}."]
    for name in ("hop", "width", "fs", "outputs"):
        if found := d.get(name):
            parts.append(_rows([name, *found], [["% core", *(f"{v:.2f}" for v in found.values())]]))
    if streams := d.get("streams"):
        rows = [[f"{r['streams']:g}", f"{r['core_percent']:.1f}", f"{r['each_percent']:.2f}"] for r in streams["rows"]]
        last = streams["rows"][-1]
        parts.append(
            "Concurrent streams on one session (body and head, 8 bits, onnxruntime, full speed):\n\n"
            + _rows(("streams", "% core", "each"), rows)
        )
        parts.append(
            f"Cost grows in proportion: the state of a stream is a few kilobytes, and {last['streams']:g} of them take "
            f"{last['core_percent']:.1f} % of a core. The network alone would fill one core with about "
            f"**{streams['saturate']:.0f} streams**"
            + (f", bytes to rows with {d['path']:.0f}" if d.get("path") else "")
            + (f", and a gateway at the real pace with {d['gateway']:.0f}, which is where one core saturates: long "
               "before the network does" if d.get("gateway") else "")
            + "."
        )  # fmt: skip
    return "\n\n".join(parts) + "\n\n![Growth](benchmarks-growth.png)"


def _front(d: Doc) -> str:
    rows = [
        [f"**{p['name']}**" if p["default"] else p["name"], f"{p['latency_ms']:g}", f"x {p['width']:g}", p["precision"],
         f"{p['kb']:.0f}" if p["kb"] else "–", f"{p['int8_kb']:.0f}" if p.get("int8_kb") else "–",
         f"{p['r']:.3f}", f"{p['rmse_mv']:.4f}"]
        for p in d["points"]
    ]  # fmt: skip
    missing = "".join(
        f" The study of the {m} has not been run (`ecg-edge reproduce {m}`)." for m in d.get("missing", [])
    )
    return (
        "The shipped files on PTB-XL fold 10. The default in float and in 8 bits on fold 9, from the table in its own "
        "file. The studies of look-ahead and width: a quarter of the records, few epochs, scored in float on fold "
        "10; rows of one study compare with each other only. Sizes of networks that are not shipped are of files "
        f"written from random weights. Bold: the shape that is shipped.{missing}\n\n"
        + _rows(
            ("what", "algorithmic latency ms", "width", "precision", "file KB", "in 8 bits KB", "r", "RMSE mV"), rows
        )
        + "\n\n"
        + _why(d["points"])
        + "\n\n![Front](benchmarks-front.png)"
    )


def _why(points: list[Doc]) -> str:
    """Why the defaults are where they are, in the figures of the table."""
    parts = []
    ahead = sorted((p for p in points if p["group"] == "look-ahead"), key=lambda p: float(p["latency_ms"]))
    if default := next((p for p in ahead if p["default"]), None):
        first, last = ahead[0], ahead[-1]
        parts.append(
            f"Look-ahead: with {default['latency_ms']:g} ms in all the error is "
            f"{_less(default, first)} than with {first['latency_ms']:g} ms. Going on to {last['latency_ms']:g} ms "
            f"brings another {_less(last, default)}, at a delay that a live screen shows."
        )
    widths = sorted((p for p in points if p["group"] == "width"), key=lambda p: float(p["width"]))
    if default := next((p for p in widths if p["default"]), None):
        parts += [
            f"Width x {p['width']:g}: error {100 * (p['rmse_mv'] / default['rmse_mv'] - 1):+.1f} %, file "
            f"{100 * (p['kb'] / default['kb'] - 1) if default['kb'] else 0:+.0f} %."
            for p in widths
            if p is not default
        ]
    exact = {p["precision"]: p for p in points if p["group"] == "precision"}
    if {"fp32", "int8"} <= exact.keys():
        a, b = exact["fp32"], exact["int8"]
        smaller = f" in {100 * b['kb'] / a['kb']:.0f} % of the bytes" if a["kb"] else ""
        parts.append(f"Precision: 8 bits cost {100 * (b['rmse_mv'] / a['rmse_mv'] - 1):.2f} % of RMSE{smaller}.")
    return " ".join(parts)


def _less(a: Doc, b: Doc) -> str:
    return f"{100 * (1 - a['rmse_mv'] / b['rmse_mv']):.1f} % lower"
