"""What a smaller file may cost against fp32."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from ecg_edge.firmware_bridge.errors import UsageError

_UNITS = {"rmse": ("%", 0.01), "st": ("uV", 1.0), "rpeak": ("ms", 1.0)}


@dataclass(frozen=True)
class Budget:
    """Limits, each for every reconstructed lead.

    Attributes
    ----------
    rmse : float
        Relative increase of the RMSE.
    st : float
        Difference of the ST level in µV, mean over records (`fiducials.Shift`).
    rpeak : float
        Shift of the R peak in ms, median over beats.
    """

    rmse: float = 0.01
    st: float = 5.0
    rpeak: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``rmse=1%,st=5uV,rpeak=0ms``; what is not named keeps its default.

        Raises
        ------
        UsageError
            Anything else.
        """
        found: dict[str, float] = {}
        for part in text.split(","):
            key, _, value = part.strip().partition("=")
            if key not in _UNITS:
                raise _bad(text)
            unit, factor = _UNITS[key]
            number = value.strip().replace("µ", "u")
            scale = factor if number.endswith(unit) else 1.0
            try:
                found[key] = float(number.removesuffix(unit)) * scale
            except ValueError:
                raise _bad(text) from None
            if not 0 <= found[key] < (10 if key == "rmse" else 1000):
                raise _bad(text)
        return replace(cls(), **found)

    def limits(self) -> dict[str, float]:
        """As plain numbers, for reports."""
        return asdict(self)

    def __str__(self) -> str:
        return ",".join(
            f"{f.name}={getattr(self, f.name) / _UNITS[f.name][1]:g}{_UNITS[f.name][0]}" for f in fields(self)
        )


def _bad(text: str) -> UsageError:
    return UsageError(f"bad budget {text!r}", "write --budget rmse=1%,st=5uV,rpeak=0ms")
