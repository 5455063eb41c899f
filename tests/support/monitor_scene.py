"""A monitor with samples in it and the page that shows them, for tests in a real browser."""

from dataclasses import replace
from datetime import datetime, timezone
from fractions import Fraction

import numpy as np
import pytest

from ecg_edge.benchmarks.measuring.chromium import find_browser
from ecg_edge.device.conditioning.spec import ConditioningSpec
from ecg_edge.device.inference.spec import Head, ModelSpec
from ecg_edge.device.lead_algebra import further_channels, missing_basis, provenance
from ecg_edge.device.lead_block import LeadBlock
from ecg_edge.device.monitor.monitor_sink import MonitorSink
from ecg_edge.device.sinks.sink import RunHeader, Status
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS

NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="no Chromium found: apt-get install chromium"),
]

FS = 100


def make_header(measured):
    targets = missing_basis(measured)
    zeros = np.zeros((4, len(targets)), np.float32)
    head = Head((), zeros, zeros, np.eye(4, dtype=np.float32), 0.9, np.ones(len(targets), np.float32))
    spec = ModelSpec("streaming", measured, targets, FS, 8, 12, 800, 1.2, 1, (), head, ConditioningSpec(), "ab")
    info = StreamInfo("Patch 7", Fraction(250), tuple(Channel(lead, 1e-4) for lead in measured))
    started = datetime(2024, 5, 1, tzinfo=timezone.utc)
    return RunHeader(info, "synthetic:", spec, "limb.onnx", "cd" * 32, provenance(measured), started)


def make_block(index, n, measured=("I", "II"), invalid=(), warm=False):
    t = (index + np.arange(n)) / FS
    mv = np.tile((0.5 * np.sin(2 * np.pi * 3 * t)).astype(np.float32)[:, None], (1, 12))
    kinds = provenance(measured)
    valid = np.ones((n, 12), np.bool_)
    valid[:, [LEADS.index(lead) for lead in invalid if lead in LEADS]] = False
    sigma = np.tile(np.array([0.2 if p.value == "reconstructed" else 0 for p in kinds], np.float32), (n, 1))
    block = LeadBlock(index, mv, kinds, valid, np.full(n, warm), sigma)
    if not (channels := further_channels(measured)):
        return block
    there = np.tile([name not in invalid for name in channels], (n, 1))
    return replace(block, channels=channels, channel_mv=mv[:, : len(channels)], channel_valid=there)


def make_status(**more):
    return Status(10.0, 2500, 1000, 5, 250.2, 3.2, 8.7, 71.6, **more)


class Scene:
    """A monitor with samples in it, and the page."""

    def __init__(self, browser):
        self.browser, self.js = browser, browser.js
        self.sink, self.index = None, 0
        browser.viewport(1280, 800)

    def start(self, measured=("I", "II"), port=0, patient="", sensed=0, token=None):
        self.measured, self.index = measured, 0
        self.sink = MonitorSink(port=port, token=token)
        header = make_header(measured)
        self.sink.open(replace(header, patient=patient, info=replace(header.info, sensed=sensed)))

    def feed(self, seconds, **more):
        for _ in range(round(seconds * FS / 10)):
            self.sink.leads(make_block(self.index, 10, self.measured, **more))
            self.index += 10

    def show(self):
        self.browser.goto(self.sink.url)
        self.caught_up()

    def caught_up(self):
        self.browser.wait_for(f"window.ecgMonitor && ecgMonitor.head > {self.index - 20}")

    def ink(self, lead, first, last):
        """Count the pixels in a lead's own colour between two samples of its strip."""
        return self.js(
            f"""(() => {{
            const m = ecgMonitor, a = m.scope.locate("{lead}", {first}), b = m.scope.locate("{lead}", {last});
            const box = m.scope.ink.getImageData(a.x, a.top, Math.max(1, b.x - a.x), a.height).data;
            const hex = m.provenance["{lead}"]?.color ?? m.scope.theme.measured;
            const rgb = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
            let n = 0;
            for (let i = 0; i < box.length; i += 4)
              if (box[i + 3] > 200 && rgb.every((c, k) => Math.abs(c - box[i + k]) < 12)) n++;
            return n; }})()"""
        )

    def text(self, name):
        return self.js(f"document.getElementById('{name}').textContent")

    def close(self):
        if self.sink:
            self.sink.close()
        self.js("location.replace('about:blank')")
