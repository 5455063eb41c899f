"""Small recordings written by hand, so that every field of a header can be what strangers' programs write."""

from pathlib import Path

import numpy as np

TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def beats(seconds=10.0, fs=250.0, bpm=60.0, r=1.0):
    """Leads I and II in mV, shape (n, 2): R waves of 0.6 and 1.0 mV."""
    t = np.arange(int(seconds * fs)) / fs
    late = (t - 0.5 + 30 / bpm) % (60 / bpm) - 30 / bpm
    y = sum(
        a * np.exp(-(((late - d) / w) ** 2) / 2) for a, d, w in ((r, 0, 0.01), (-0.2, 0.03, 0.01), (0.25, 0.25, 0.045))
    )
    return np.stack([0.6 * y, y], axis=1)


def twelve(seconds=10.0, fs=250.0):
    """Twelve leads that obey Einthoven and Goldberger, shape (n, 12), in mV."""
    i, ii = beats(seconds, fs).T
    i = i + 0.1 * np.roll(ii, 2)
    chest = [(-0.6 + 0.3 * k) * ii + 0.2 * np.roll(ii, 3 + k) for k in range(6)]
    return np.stack([i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2, *chest], axis=1)


def wfdb_record(
    folder, name, mv, fs=250, leads=("I", "II"), *, gain=1000, unit="mV", line=None, signal=None, comments=()
):
    """A record of format 16; `line` is the record line, `signal(k, lead)` a signal line, where they are to be odd."""
    folder = Path(folder)
    counts = np.rint(np.asarray(mv) * gain).astype("<i2")
    (folder / f"{name}.dat").write_bytes(counts.tobytes())
    rows = [line or f"{name} {counts.shape[1]} {fs} {len(counts)}"]
    rows += [
        signal(k, lead) if signal else f"{name}.dat 16 {gain}(0)/{unit} 16 0 0 0 0 {lead}"
        for k, lead in enumerate(leads)
    ]
    text = "\n".join([*rows, *(f"#{c}" for c in comments)]) + "\n"
    (folder / f"{name}.hea").write_text(text, encoding="utf-8")
    return folder / f"{name}.hea"


def edf(
    path,
    signals,
    *,
    kind="",
    patient="X X X X",
    about="Startdate X X X X",
    seconds=1,
    start="05.03.1910.00.00",
    onsets=None,
):
    """An EDF file: `signals` are (label, unit, values in the unit's mV-like range, rate); 16 bits over +-5000 units.

    `onsets`: of each data record, for EDF+D, in s.
    """
    n_records = min(len(x) // (rate * seconds) for _, _, x, rate in signals)
    fields, body = [], []
    notes = onsets is not None or kind.startswith("EDF+")
    rows = [(label, unit, -5000, 5000, -32768, 32767, rate * seconds) for label, unit, _, rate in signals]
    if notes:
        rows.append(("EDF Annotations", "", -1, 1, -32768, 32767, 30))
    for width, column in ((16, 0), (80, None), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5), (80, None), (8, 6), (32, None)):
        for row in rows:
            text = "" if column is None else str(row[column])
            fields.append(text.encode("latin-1").ljust(width)[:width])
    for k in range(n_records):
        for _, _, x, rate in signals:
            part = np.asarray(x)[k * rate * seconds : (k + 1) * rate * seconds]
            digital = np.rint((part + 5000) / 10000 * 65535 - 32768)
            body.append(digital.astype("<i2").tobytes())
        if notes:
            onset = k * seconds if onsets is None else onsets[k]
            body.append(f"+{onset}\x14\x14\0".encode().ljust(60, b"\0"))
    head = "0".ljust(8) + patient.ljust(80) + about.ljust(80) + start.ljust(16)
    head += str(256 * (len(rows) + 1)).ljust(8) + kind.ljust(44) + str(n_records).ljust(8) + str(seconds).ljust(8)
    Path(path).write_bytes(
        head.encode("latin-1") + str(len(rows)).ljust(4).encode() + b"".join(fields) + b"".join(body)
    )
    return Path(path)


def table(
    path,
    mv,
    fs=250,
    heads=("time [s]", "I [mV]", "II [mV]"),
    *,
    scale=1.0,
    tick=1.0,
    separator=",",
    decimal=".",
    above=(),
):
    """A table; `tick`: of the time column's unit per second, 0 leaves it out."""
    rows = [*above, separator.join(heads)]
    for k, row in enumerate(np.asarray(mv) * scale):
        cells = ([f"{k / fs * tick:.9g}"] if tick else []) + [f"{v:.7g}" for v in row]
        rows.append(separator.join(c.replace(".", decimal) for c in cells))
    Path(path).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Path(path)
