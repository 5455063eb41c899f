"""A ward with beds in it, and its page in a browser."""

import json
from datetime import datetime, timezone

from ecg_edge.device.monitor.frames import encode_frames
from ecg_edge.device.sinks.messages import header_message, note_message, status_message
from ecg_edge.device.ward.settings import WardSettings
from ecg_edge.device.ward.ward_server import WardServer
from ecg_edge.firmware_bridge.clock import ManualClock
from tests.support.monitor_scene import make_block, make_header, make_status

AT = datetime(2024, 5, 1, 22, 41, tzinfo=timezone.utc)


class WardScene:
    """A ward on a free port; nothing moves in it but by the test."""

    def __init__(self, browser=None, **settings):
        self.clock, self.log = ManualClock(), []
        self.server = WardServer(WardSettings(port=0, **settings), self.clock, self.log.append)
        self.url, self.browser = self.server.url, browser
        self.js = browser.js if browser else None
        self.index = {}

    def bed(self, name, measured=("I", "II"), **limits):
        self.server.place(name, limits.get("low"), limits.get("high"), limits.get("silence"))
        self.run(name, measured)

    def run(self, name, measured=("I", "II")):
        self.index[name] = (0, measured)
        self.server.state(name, "running", "")
        self.server.hear(name, "header", header_message(make_header(measured)))

    def feed(self, name, seconds, **more):
        index, measured = self.index[name]
        for _ in range(round(10 * seconds)):
            for frame in encode_frames(make_block(index, 10, measured, **more), index // 10):
                self.server.show(name, frame)
            index += 10
        self.index[name] = index, measured

    def figures(self, name, heart_rate_bpm=72.0, **more):
        status = json.loads(status_message(make_status(**more)))
        self.server.hear(name, "status", json.dumps(status | {"heart_rate_bpm": heart_rate_bpm}))

    def note(self, name, note):
        self.server.hear(name, "note", note_message(note, AT))

    def open(self, path=""):
        self.browser.goto(self.url + path)

    def close(self):
        if self.js:
            self.js("location.replace('about:blank')")
        self.server.close()
