"""The fuzzer itself, and a few inputs of it for every decoder."""

import random

import numpy as np
import pytest

from ecg_edge.firmware_bridge.events import Gap, SampleBlock
from ecg_edge.firmware_bridge.tally import Tally
from tests.firmware_bridge.fuzz import fuzz_decoders as f
from tests.firmware_bridge.fuzz.make_corpus import CORPUS, seeds
from tests.firmware_bridge.fuzz.mutate import mutated, repaired
from tests.support.wire import as_summary, decode

FEW = 8


@pytest.mark.parametrize("device", f.NAMES)
def test_a_few_inputs_hold(device):
    tried, failing = f.fuzz(device, 7, lambda n: n < FEW)
    assert (tried, failing) == (FEW, b"")


def test_the_corpus_is_what_its_script_builds():
    assert {p.stem: p.read_bytes() for p in CORPUS.glob("*.bin")} == seeds()
    assert sum(p.stat().st_size for p in CORPUS.iterdir()) < 200_000


def test_clean_seeds_are_decoded():
    for device in f.NAMES:
        decoder = f.make(device)
        f.run(decoder, (CORPUS / f"{device.removesuffix(f.LIVE)}.clean.bin").read_bytes(), ())
        assert decoder.tally.samples >= 20, device
        assert decoder.tally.lost == 0


@pytest.mark.parametrize("device", ["healthypi6", "bitalino-3", "shimmer3"])
def test_repaired_inputs_pass_the_checksum(device):
    data = bytearray((CORPUS / f"{device}.clean.bin").read_bytes())
    data[-5 if device == "shimmer3" else -2] ^= 1  # inside the last frame
    before, after = f.make(device), f.make(device)
    f.run(before, bytes(data), ())
    f.run(after, repaired(device, bytes(data), random.Random(3)), ())
    assert after.tally.samples > before.tally.samples


def test_changes_are_the_same_for_a_seed_and_bounded():
    own = f.seeds("cyton")
    once = [mutated(own[0] * 50, random.Random(k), own) for k in range(40)]
    assert once == [mutated(own[0] * 50, random.Random(k), own) for k in range(40)]
    assert max(map(len, once)) <= 1 << 15
    assert len(set(once)) > 30


class Faulty:
    """A decoder of one channel that gives a sample for every byte, with a fault to be found."""

    def __init__(self, fault):
        self.fault, self.tally, self.buffered, self._n = fault, Tally(), 0, 0

    def feed(self, data, arrival=0.0):
        if self.fault == "raises" and b"\x07" in data:
            raise ValueError("7")
        n, at = len(data), self._n
        self._n += n
        self.tally.samples += n
        self.buffered = 1 << 20 if self.fault == "keeps" else 0
        if self.fault == "hole" and n > 3:
            self._n += 1
        events = [Gap(at, at + 1)] if self.fault == "untold" else []
        counts = np.full((n, 1), n if self.fault == "cut" else 0, np.int32)
        return [*events, SampleBlock(at, counts, counts.astype(np.float32), counts == counts)] if n else []

    def close(self):
        return []


@pytest.mark.parametrize("fault", ["raises", "keeps", "hole", "untold", "cut"])
def test_every_rule_finds_the_fault(fault, monkeypatch):
    monkeypatch.setattr(f, "make", lambda device: Faulty(fault))
    data = bytes(range(64))
    assert f.failure("any", data, random.Random(1))
    assert len(f.smaller("any", data)) < 64
    monkeypatch.setattr(f, "make", lambda device: Faulty(""))
    assert not f.failure("any", data, random.Random(1))


def test_slow_decoding_is_a_failure(monkeypatch):
    monkeypatch.setattr(f, "make", lambda device: Faulty(""))
    ticks = iter(range(100))
    assert "s for 9 bytes" in f.failure("any", bytes(9), random.Random(1), lambda: float(next(ticks)))
    assert not f.failure("any", bytes(9), random.Random(1), lambda: 0.0)


def test_the_command_ends_well_and_names_what_it_tried(capsys):
    assert f.main(["--seconds", "0", "--device", "ad8232", "--random"]) == 0
    assert "ad8232: 0 inputs held" in capsys.readouterr().out


# --- what the fuzzer has found ----------------------------------------------------------------------


def test_bytes_skipped_before_a_frame_without_samples_are_told_in_every_cutting():
    # a byte too many before frames of the PPG: the loss before the next ECG frame is unknown
    ecg, ppg = (CORPUS / "healthypi5-ov3.ppg.bin").read_bytes()[:57], _ppg()
    data = ecg * 2 + b"\x0a" + ppg * 2 + ecg * 2
    expected = as_summary(decode("healthypi5-ov3", data))
    assert expected[3] == [(16, 16, False)]
    for cut in range(0, len(data), 2):
        assert decode("healthypi5-ov3", data, [cut]) == expected


def _ppg():
    return (CORPUS / "healthypi5-ov3.ppg.bin").read_bytes()[57:83]


SHORT_AND_LONG = bytes.fromhex(
    "00c00000804734 5d351e6d80455ec2804e9f 000001008089b12f00dc7580d5ccadefc969"
    "00400100806e69ebb408608007 29b5d32f70 00800100 80c9e0008000008062496b5f48"
    "3380ce74bd84bd8b8e4b00c00000804734 5d351e6d80455ec2804e9fce1a000001008089"
    "b12f00dc7580d5ccadefc969121f00400100806e69ebb40860800729b5d32f70ce36"
)
"""Four packets of 16 bits without a CRC and four with one: both layouts find a chain."""


def test_the_layout_that_is_found_does_not_depend_on_the_cutting():
    expected = as_summary(decode("shimmer3", SHORT_AND_LONG))
    for cut in range(1, len(SHORT_AND_LONG), 3):
        assert decode("shimmer3", SHORT_AND_LONG, [cut]) == expected


def test_a_stream_shorter_than_a_look_is_told_at_its_end_with_its_time():
    frames = (CORPUS / "bitalino.clean.bin").read_bytes()[: 4 * 12]
    decoder = f.make("bitalino")
    assert decoder.feed(frames, 3.5) == []
    blocks = [e for e in decoder.close() if isinstance(e, SampleBlock)]
    assert sum(map(len, blocks)) == 12
    assert {b.arrival for b in blocks} == {3.5}
    assert decoder.buffered == 0
