"""What a notebook shows of a block, and what pandas gets."""

import builtins
import io
import re
from dataclasses import replace

import numpy as np
import pytest

from ecg_edge.device.lead_algebra import provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.lead_drawing import STYLES, WARNING
from ecg_edge.firmware_bridge.errors import MissingExtraError, UsageError
from ecg_edge.firmware_bridge.lead_names import LEADS

pytest.importorskip("matplotlib")


def block(n=500, measured=("I", "II"), index=0, fs=100):
    mv = np.sin((index + np.arange(n))[:, None] / 10 + np.arange(12)).astype(np.float32)
    whole = LeadBlock.empty(index, n, provenance(measured), fs=fs)
    guess = np.array([p.value == "reconstructed" for p in whole.provenance])
    return replace(whole, mv=mv, valid=np.ones((n, 12), bool), warmup=np.zeros(n, bool),
                   sigma=np.where(guess, np.float32(0.2), np.float32(0)) * np.ones((n, 1), np.float32))  # fmt: skip


@pytest.fixture
def without(monkeypatch):
    """Make a package as good as not installed."""
    real = builtins.__import__

    def hide(package):
        def importer(name, *rest):
            if name.split(".")[0] == package:
                raise ModuleNotFoundError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", importer)

    return hide


def test_a_line_per_lead_in_the_style_of_its_provenance():
    (ax,) = block().plot().axes
    lines = [line for line in ax.lines if len(line.get_xdata())]
    assert [line.get_color() for line in lines] == [STYLES[p.value]["color"] for p in block().provenance]
    assert [line.is_dashed() for line in lines] == [p.value == "reconstructed" for p in block().provenance]
    assert [t.get_text() for t in ax.texts] == list(LEADS)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["measured", "derived", "reconstructed"]
    assert ax.get_title(loc="left") == WARNING
    top = [line.get_ydata().mean() for line in lines]
    assert (np.diff(top) < 0).all()


def test_what_is_invalid_is_left_out_and_what_is_not_settled_is_grey():
    part = block()
    part.valid[100:200] = False
    part.warmup[:50] = True
    (ax,) = part.plot().axes
    assert all(np.isnan(line.get_ydata()[100:200]).all() for line in ax.lines if len(line.get_xdata()))
    assert "not settled" in ax.get_xlabel() and "not settled" not in block().plot().axes[0].get_xlabel()
    nothing = replace(part, valid=np.zeros_like(part.valid))
    assert nothing._repr_png_().startswith(b"\x89PNG")


def test_all_measured_need_no_warning():
    (ax,) = block(measured=LEADS).plot().axes
    assert ax.get_title(loc="left") == "" and len(ax.get_legend().get_texts()) == 1


def test_an_hour_shows_its_beginning():
    (ax,) = block(6000, index=300).plot().axes
    assert ax.get_xlim() == pytest.approx((3.0, 12.99)) and "first 10 s" in ax.get_title(loc="left")


@pytest.mark.parametrize("n", [1, 2, 30])
def test_a_short_block_is_drawn(n):
    assert block(n)._repr_svg_().count("<path") > 12


def test_svg_and_png():
    svg, png = block()._repr_svg_(), block()._repr_png_()
    assert svg == block()._repr_svg_() and "<svg" in svg and all(f">{lead}</text>" in svg for lead in LEADS)
    assert not re.search(r"<dc:date>", svg)
    from PIL import Image

    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert image.shape[1] > 800
    for kind in STYLES:
        colour = [int(STYLES[kind]["color"][k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(image - colour).max(axis=2) < 40).sum() > 100, kind


def test_nothing_to_draw_is_text():
    assert block(0)._repr_svg_() is None and replace(block(), fs=0)._repr_png_() is None
    assert repr(block(3, index=7)).startswith("<LeadBlock: 3 rows from 7 at 100 Hz; measured I, II; derived III")


def test_without_matplotlib_a_notebook_shows_text(without):
    part = block()
    without("matplotlib")
    assert part._repr_svg_() is None and part._repr_png_() is None
    with pytest.raises(MissingExtraError, match="matplotlib") as caught:
        part.plot()
    assert "ecg-edge[plot]" in caught.value.fix


def test_a_dataframe_in_millivolts_and_seconds():
    pytest.importorskip("pandas")
    part = block(200, index=50)
    part.valid[10:20, 3] = False
    frame = part.to_dataframe()
    assert list(frame.columns) == list(LEADS) and frame.index.name == "seconds"
    assert frame.index[0] == 0.5 and frame.index[-1] == 2.49
    assert frame["aVR"].isna().sum() == 10 and not frame.drop(columns="aVR").isna().any().any()
    assert np.array_equal(frame["V2"].to_numpy(), part.lead("V2"))
    assert frame.attrs["provenance"]["V2"] == "reconstructed" and frame.attrs["fs"] == 100.0
    with pytest.raises(UsageError, match="rate"):
        replace(part, fs=0).to_dataframe()


def test_without_pandas_the_extra_is_named(without):
    without("pandas")
    with pytest.raises(MissingExtraError) as caught:
        block().to_dataframe()
    assert "ecg-edge[pandas]" in caught.value.fix


def test_blocks_of_one_stream_join():
    whole = replace(block(100), held=np.arange(100) > 50)
    parts = [whole.rows(0, 30), replace(whole.rows(30, 40), held=None), whole.rows(40, 100)]
    joined = LeadBlock.join(parts)
    assert joined.mv.tobytes() == whole.mv.tobytes() and joined.held.tobytes() == whole.held.tobytes()
    assert LeadBlock.join([block(5)]).held is None and len(joined.rows(20, 50)) == 30
    for wrong in ([], parts[::-1], [parts[0], parts[2]], [parts[0], replace(parts[1], fs=250)],
                  [parts[0], replace(parts[1], provenance=provenance(("I",)))]):  # fmt: skip
        with pytest.raises(UsageError):
            LeadBlock.join(wrong)
