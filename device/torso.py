"""A torso with electrodes and the channels between them, as SVG.

A sketch, seen from the front, no anatomy to measure by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ecg_edge.firmware_bridge.errors import UsageError
from ecg_edge.firmware_bridge.lead_names import SKIN

AT: dict[str, tuple[float, float]] = {
    "RA": (62, 62), "LA": (178, 62), "LL": (162, 236),
    "V1": (104, 134), "V2": (130, 134), "V3": (144, 149), "V4": (158, 164), "V5": (176, 164), "V6": (193, 164),
}  # fmt: skip
"""Middle of each electrode in a drawing of `WIDTH` by `HEIGHT`; the wearer's right is on the left."""
WIDTH, HEIGHT = 240, 280
_BELOW = 19
"""Of a name under its electrode: channels come from above."""
_BODY = "M100 6v26c-6 10-34 10-52 18c-12 6-16 18-18 34L18 150M34 96c4 40 6 70 2 160h168c-4-90-2-120 2-160"
_BODY += "M222 150L210 84c-2-16-6-28-18-34c-18-8-46-8-52-18V6"
_INK, _CHOSEN, _FREE = "#333", "#b35900", "#fff"


def electrodes(text: str) -> tuple[str, ...]:
    """Read ``RA,V2,V5``.

    Raises
    ------
    UsageError
        A name is no electrode that measures, stands twice, or there are fewer than two.
    """
    known = {name.lower(): name for name in SKIN}
    names = [part.strip() for part in text.replace("+", ",").split(",") if part.strip()]
    found = [known.get(name.lower(), "") for name in names]
    if "" in found:
        raise UsageError(f"{names[found.index('')]!r} is no electrode", f"use {', '.join(SKIN)}: RA,V2,V5")
    if len(found) < 2 or len(set(found)) < len(found):
        raise UsageError(f"bad place {text!r}", "name two or more electrodes, each once: RA,V2,V5")
    return tuple(found)


def torso(chosen: Sequence[str], title: str = "") -> str:
    """Draw one torso.

    Parameters
    ----------
    chosen : sequence of str
        Electrodes that are worn; each is joined to the first by a channel.
    title : str
        Written above it.

    Returns
    -------
    str
        A whole SVG document.
    """
    return torsos([(title, chosen)])


def torsos(drawn: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Draw several beside each other: pairs of title and electrodes; see `torso`."""
    top = 22
    width, height = WIDTH * len(drawn), HEIGHT + top
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for k, (title, chosen) in enumerate(drawn):
        lines.append(f'<g transform="translate({WIDTH * k} {top})">')
        lines.append(f'<text x="{WIDTH / 2:g}" y="-6" text-anchor="middle" fill="{_INK}">{escape(title)}</text>')
        lines += [*_one(chosen), "</g>"]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _one(chosen: Sequence[str]) -> Iterable[str]:
    yield f'<path d="{_BODY}" fill="none" stroke="{_INK}" stroke-width="1.5" stroke-linejoin="round"/>'
    for other in chosen[1:]:
        (a, b), (c, d) = AT[chosen[0]], AT[other]
        yield f'<line x1="{a:g}" y1="{b:g}" x2="{c:g}" y2="{d:g}" stroke="{_CHOSEN}" stroke-width="1.5"/>'
    for name, (x, y) in AT.items():
        worn = name in chosen
        fill, ink, r = (_CHOSEN, _CHOSEN, 7) if worn else (_FREE, "#999", 4)
        yield f'<circle cx="{x:g}" cy="{y:g}" r="{r}" fill="{fill}" stroke="{ink}"/>'
        if worn:
            yield (
                f'<text x="{x:g}" y="{y + _BELOW:g}" text-anchor="middle" font-weight="bold" fill="{_INK}" '
                f'stroke="#fff" stroke-width="3" paint-order="stroke">{name}</text>'
            )
