"""A gateway's TOML file: read, refused, run."""

import json
import threading

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.live.config_file import read_config
from ecg_edge.device.live.gateway import SharedModels, run_all
from ecg_edge.device.recording.stored_recording import read_stored
from ecg_edge.device.sources.rescaled import RescaledSource, Scale
from ecg_edge.firmware_bridge.clock import ManualClock
from ecg_edge.firmware_bridge.decoders.catalogue import find_device
from ecg_edge.firmware_bridge.errors import LeadMismatchError, UsageError
from ecg_edge.firmware_bridge.events import SampleBlock
from tests.support import fakes

GOOD = """
[defaults]
fast = true
mains = "off"
seconds = 4
model = "i-ii-int8"

[[patch]]
name = "bed-7"
source = "synthetic:seed=1"
out = "{out}/seven"
rotate = "1h"

[[patch]]
name = "bed-8"
source = "synthetic:seed=2&leads=I,V6"
leads = ["I", "II"]
out = "{out}/eight"
scale.2 = {{ uv_per_count = 2.0, zero = 10 }}
"""


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "gateway.toml"
        path.write_text(text.format(out=tmp_path))
        return path

    return write


def test_two_patches_run_at_once_on_one_session(config, tmp_path, capsys):
    assert main(["run", "--config", str(config(GOOD)), "--workers", "0", "--json"]) == 0
    out, err = capsys.readouterr()
    docs = json.loads(out.splitlines()[-1])["patches"]
    assert set(docs) == {"bed-7", "bed-8"} and {d["samples_in"] for d in docs.values()} == {1000}
    assert "bed-7: synthetic:seed=1" in err and "bed-8: " in err
    plain = {}
    for name, source in (("seven", "synthetic:seed=1"), ("eight", "synthetic:seed=2&leads=I,V6")):
        command = ["run", source, "--fast", "--mains", "off", "--seconds", "4", "--leads", "I,II", "--json"]
        assert main([*command, "--model", "i-ii-int8", "--out", str(tmp_path / "alone" / name)]) == 0
        plain[name] = json.loads(capsys.readouterr().out)["recording"]
    mine = read_stored(docs["bed-7"]["recording"])
    assert np.array_equal(mine.counts, read_stored(plain["seven"]).counts)  # as if it had run alone
    a, b = (read_stored(x + "_measured") for x in (docs["bed-8"]["recording"], plain["eight"]))
    assert np.array_equal(a.counts, b.counts)
    assert a.mv[:, 1] == pytest.approx((b.counts[:, 1] - 10) * 0.002)
    assert a.mv[:, 0] == pytest.approx(b.mv[:, 0])


def test_one_patch_that_fails_leaves_the_others_alone(config, capsys):
    text = GOOD.replace("synthetic:seed=2&leads=I,V6", "replay:nowhere")
    assert main(["run", "--config", str(config(text)), "--workers", "0", "--json"]) == 1
    docs = json.loads(capsys.readouterr().out.splitlines()[-1])["patches"]
    assert "nowhere" in docs["bed-8"]["error"] and docs["bed-7"]["exit"] == 0


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("[[patch]\n", ["no TOML"]),
        ("[defaults]\n", ["no [[patch]]"]),
        ("[[patch]]\nname = 'a'\n", ["a: has no source"]),
        (
            "[other]\n[[patch]]\nname='a'\nsource='x'\nmonitor='8765'\nfoo=1\nplacement='there'\nlsl=1\ngain=true\n",
            ["unknown table other", "monitor must be a port", "unknown setting foo", "placement must be same or again",
             "lsl must be true or false", "gain must be a number"],
        ),
        (
            "[[patch]]\nname='a'\nsource='x'\n[[patch]]\nname='a'\nsource='x'\n",
            ["a: named twice", "source x is used twice"],
        ),
        (
            "[[patch]]\nsource='x'\nleads='I,II'\nscale.I={{gain=1}}\n",
            ["leads must be a list", "patch 1: scale must be"],
        ),
    ],
)  # fmt: skip
def test_all_that_is_wrong_is_told_at_once(config, text, reasons):
    with pytest.raises(UsageError) as e:
        read_config(config(text))
    assert all(r in e.value.message for r in reasons), e.value.message


def test_a_missing_file_and_two_masters_are_refused(config, tmp_path, capsys):
    with pytest.raises(UsageError, match="cannot read"):
        read_config(tmp_path / "none.toml")
    assert main(["run", "/dev/ttyUSB0", "--config", str(config(GOOD))]) == 2
    assert "leave SOURCE" in capsys.readouterr().err


def test_a_model_is_loaded_once():
    models, got = SharedModels(), []
    threads = [threading.Thread(target=lambda: got.append(models("i-ii-int8"))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len({id(m) for m in got}) == 1


def test_an_error_that_is_nobodys_fault_is_raised(config):
    def start(patch, models, stop):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_all(read_config(config(GOOD)), start, ManualClock())


def test_counts_are_scaled_by_name_or_number():
    counts = np.array([[100, 2048], [101, 2049]], np.int32)
    source = RescaledSource(
        fakes.ListSource([[fakes.info(("ch1", "II"))], [fakes.block(counts)]]),
        {"ch1": Scale(5.0, 100), "2": Scale(1.0, 2048)},
    )
    source.start()
    (info,), (block,) = source.get(), source.get()
    assert [(c.lsb_mv, c.offset) for c in info.channels] == [(0.005, 100), (0.001, 2048)]
    assert isinstance(block, SampleBlock) and block.mv == pytest.approx(np.array([[0, 0], [0.005, 0.001]]))
    assert np.array_equal(block.counts, counts)
    text = find_device("plotter").decoder(leads=("I", "II"))
    lists = [text.feed(b"512.5 8388607\n612 -8388607\n712 1\n"), text.close()]
    floats = RescaledSource(fakes.ListSource(lists), {"I": Scale(5.0, 512), "II": Scale(0.001)})
    told, *blocks = floats.get()
    mv, fine = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("mv", "counts"))
    assert mv.tolist() == [pytest.approx(x, rel=1e-6) for x in ([0.0025, 8.388607], [0.5, -8.388607], [1.0, 1e-6])]
    lsb = np.array([c.lsb_mv for c in told.channels])
    assert np.abs(fine * lsb - mv).max() < 5.1e-5
    other = RescaledSource(fakes.ListSource([[fakes.info()]]), {"V9": Scale(1.0)})
    with pytest.raises(LeadMismatchError, match="V9"):
        other.get()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("defaults = 5\n[[patch]]\nsource='synthetic:'\n", "defaults: is no table"),
        ("[[defaults]]\nmonitor = 1\n[[patch]]\nsource='synthetic:'\n", "defaults: is no table"),
        ("[[patch]]\nsource='synthetic:'\nscale.I = {uv_per_count = 1, zero = nan}\n", "scale must be"),
        ("[[patch]]\nsource='synthetic:'\nscale.I = {uv_per_count = inf}\n", "scale must be"),
        ("[[patch]]\nsource='synthetic:'\nscale.I = {uv_per_count = 1e300}\n", "scale must be"),
        ("[[patch]]\nsource='synthetic:'\nscale.I = {uv_per_count = true}\n", "scale must be"),
        ("[[patch]]\nsource='synthetic:'\nseconds = inf\n", "seconds must be a number"),
        ("[[patch]]\nsource='synthetic:'\ngain = nan\n", "gain must be a number"),
        ("[[patch]]\nsource = []\n", "source must be text"),
        ("patch = 1\n", "no [[patch]]"),
        ("patch = [1]\n", "no [[patch]]"),
        ("x = " + "[" * 100_000, "no TOML"),
    ],
)
def test_values_of_a_wrong_type_are_named(config, text, reason):
    path = config("[[patch]]\n")
    path.write_text(text.replace("{{", "{"))
    with pytest.raises(UsageError) as e:
        read_config(path)
    assert reason in e.value.message


@pytest.mark.parametrize(
    "text",
    [
        "[defaults]\nmqtt='mqtt://u:S3CRET@h/ward/bed'\n[[patch]]\nsource='a'\n[[patch]]\nsource='b'\n",
        "[[patch]]\nsource='a'\nmqtt='mqtt://x@H:1883/w/'\n[[patch]]\nsource='b'\nmqtt='mqtt://h/w'\n",
        "[[patch]]\nsource='a'\nmqtt='mqtt://h/w'\n[[patch]]\nsource='b'\nsinks=['mqtt:mqtt://u:S3CRET@h/w']\n",
    ],
)
def test_two_patches_on_one_topic_are_refused(config, text):
    """Two patients would be told as one; the password of the broker is not shown."""
    path = config("[[patch]]\n")
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mqtt h/w.* is used twice") as e:
        read_config(path)
    assert "S3CRET" not in str(e.value)
