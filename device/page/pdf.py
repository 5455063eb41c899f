"""Sheets to a PDF of vectors and text (ISO 32000-1), with nothing but the core: no picture, fonts inside."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from ecg_edge.device.page.font import Font, font
from ecg_edge.device.page.sheet import MM_PER_PT, PAPER, Sheet, Text
from ecg_edge.firmware_bridge.array_types import FloatArray

_PT = 1 / MM_PER_PT
_ROUND = "1 J 1 j"
_FIRST_PAGE = 3
"""Object number of the first page: the catalogue and the list of pages stand before it."""


def pdf(sheets: Sequence[Sheet], title: str) -> bytes:
    """Return the sheets as one PDF; its text can be searched and copied.

    Parameters
    ----------
    sheets : sequence of Sheet
        A page each, of their own size.
    title : str
    """
    faces = [_Face(font(bold), sheets, bold) for bold in (False, True)]
    fonts_at = _FIRST_PAGE + 2 * len(sheets)
    names = " ".join(f"/F{k} {fonts_at + k * _Face.OBJECTS} 0 R" for k in range(2))
    kids = " ".join(f"{_FIRST_PAGE + 2 * k} 0 R" for k in range(len(sheets)))
    objects = [_dict("/Type /Catalog /Pages 2 0 R"), _dict(f"/Type /Pages /Kids [{kids}] /Count {len(sheets)}")]
    for k, sheet in enumerate(sheets):
        box = f"[0 0 {sheet.width * _PT:.2f} {sheet.height * _PT:.2f}]"
        objects.append(_dict(
            f"/Type /Page /Parent 2 0 R /MediaBox {box} /Contents {_FIRST_PAGE + 2 * k + 1} 0 R "
            f"/Resources << /Font << {names} >> >>"
        ))  # fmt: skip
        objects.append(_stream("\n".join(_drawing(sheet, faces)).encode("ascii")))
    for k, face in enumerate(faces):
        objects += face.objects(fonts_at + k * _Face.OBJECTS)
    objects.append(_dict(f"/Title <{_hex16(title, mark=True)}> /Creator (ecg-edge)"))
    return _file(objects)


def _drawing(sheet: Sheet, faces: Sequence[_Face]) -> Iterable[str]:
    """Operators of a page: millimetres to points, then paper, areas, lines and texts from below."""
    yield f"{_PT:.6f} 0 0 {_PT:.6f} 0 0 cm {_ROUND}"
    yield from _paper(sheet)
    for area in sheet.areas:
        yield f"{_rgb(area.color)} rg"
        for a, b in _stretches(np.isfinite(area.x) & np.isfinite(area.low) & np.isfinite(area.high)):
            x = np.concatenate([area.x[a:b], area.x[a:b][::-1]])
            yield f"{_path(x, np.concatenate([area.low[a:b], area.high[a:b][::-1]]))} f"
    for line in sheet.lines:
        yield f"{_rgb(line.color)} RG {line.width * MM_PER_PT:.4f} w"
        for a, b in _stretches(np.isfinite(line.x) & np.isfinite(line.y)):
            yield f"{_path(line.x[a:b], line.y[a:b])} S"
    for text in sheet.texts:
        yield f"BT {_rgb(text.color)} rg /F{int(text.bold)} {text.size * MM_PER_PT:.4f} Tf " \
              f"{text.x:.3f} {text.y:.3f} Td <{faces[text.bold].codes(text)}> Tj ET"  # fmt: skip


def _paper(sheet: Sheet) -> Iterable[str]:
    left, bottom, right, top = sheet.grid
    if right <= left:
        return
    for color, width, step in PAPER:
        yield f"{_rgb(color)} RG {width * MM_PER_PT:.4f} w"
        for x in np.arange(left, right + 0.1, step):
            yield f"{x:.3f} {bottom:.3f} m {x:.3f} {top:.3f} l"
        for y in np.arange(bottom, top + 0.1, step):
            yield f"{left:.3f} {y:.3f} m {right:.3f} {y:.3f} l"
        yield "S"


def _stretches(there: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of every run of points; NaN lifts the pen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _path(x: FloatArray, y: FloatArray) -> str:
    points = [f"{a:.3f} {b:.3f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return f"{points[0]} m " + "".join(f"{p} l " for p in points[1:] or points)


class _Face:
    """One font as a composite font whose codes are the letters used: text stays text, also where no glyph is there."""

    OBJECTS = 6

    def __init__(self, face: Font, sheets: Sequence[Sheet], bold: bool) -> None:
        self._font = face
        words = (t.words for s in sheets for t in s.texts if t.bold == bold)
        self._letters = sorted({c for w in words for c in _composed(w)})
        self._code = {c: k + 1 for k, c in enumerate(self._letters)}

    def codes(self, text: Text) -> str:
        """Codes of a text, in hexadecimal."""
        return "".join(f"{self._code[c]:04x}" for c in _composed(text.words))

    def objects(self, at: int) -> list[bytes]:
        """The font's objects, of which the first has number `at`."""
        f = self._font
        glyphs = f.of(self._letters)
        wide = " ".join(f"{1000 * f.advance[g]:.0f}" for g in glyphs)
        box = " ".join(f"{1000 * v:.0f}" for v in f.box)
        return [
            _dict(f"/Type /Font /Subtype /Type0 /BaseFont /{f.name} /Encoding /Identity-H "
                  f"/DescendantFonts [{at + 1} 0 R] /ToUnicode {at + 5} 0 R"),
            _dict(f"/Type /Font /Subtype /CIDFontType2 /BaseFont /{f.name} /FontDescriptor {at + 2} 0 R "
                  "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
                  f"/CIDToGIDMap {at + 4} 0 R /W [1 [{wide}]]"),
            _dict(f"/Type /FontDescriptor /FontName /{f.name} /Flags 32 /FontBBox [{box}] /ItalicAngle 0 "
                  f"/Ascent {1000 * f.ascent:.0f} /Descent {1000 * f.descent:.0f} /CapHeight 729 /StemV 80 "
                  f"/FontFile2 {at + 3} 0 R"),
            _stream(f.data, f"/Length1 {len(f.data)}"),
            _stream(np.array([0, *glyphs], ">u2").tobytes()),
            _stream(self._to_unicode().encode("ascii")),
        ]  # fmt: skip

    def _to_unicode(self) -> str:
        rows = [f"<{k:04x}> <{_hex16(c)}>" for c, k in self._code.items()]
        parts = [rows[k : k + 100] for k in range(0, len(rows), 100)]  # a CMap holds no more in one list
        lists = "\n".join(f"{len(p)} beginbfchar\n" + "\n".join(p) + "\nendbfchar" for p in parts)
        return (
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def /CMapName /Letters def\n"
            f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{lists}\nendcmap end end"
        )


def _composed(words: str) -> str:
    """Letters with their accents, and no control characters: a name may bring any."""
    return "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", words))


def _hex16(words: str, mark: bool = False) -> str:
    return (("\ufeff" if mark else "") + words).encode("utf-16-be", "replace").hex()


def _rgb(color: str) -> str:
    return " ".join(f"{int(color[k : k + 2], 16) / 255:.3f}" for k in (1, 3, 5))


def _dict(inside: str) -> bytes:
    return f"<< {inside} >>".encode("ascii")


def _stream(data: bytes, more: str = "") -> bytes:
    packed = zlib.compress(data)
    return f"<< /Length {len(packed)} /Filter /FlateDecode {more} >>\nstream\n".encode() + packed + b"\nendstream"


def _file(objects: Sequence[bytes]) -> bytes:
    """Objects one after another, and the table of where each begins; the last one describes the document."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for k, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % k + body + b"\nendobj\n"
    start = len(out)
    rows = "".join(f"{at:010d} 00000 n \n" for at in places)
    n = len(objects) + 1
    out += f"xref\n0 {n}\n0000000000 65535 f \n{rows}".encode("ascii")
    out += f"trailer\n<< /Size {n} /Root 1 0 R /Info {n - 1} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode("ascii")
    return bytes(out)
