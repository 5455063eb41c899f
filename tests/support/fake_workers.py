"""Workers without processes, and a board that keeps what it is shown, for the supervisor's tests."""

from ecg_edge.device.gateway.supervisor import Supervisor
from ecg_edge.device.live.options import Options
from ecg_edge.firmware_bridge.clock import ManualClock


class FakeWorker:
    def __init__(self, take, pid):
        self.take, self.pid, self.orders, self.killed = take, pid, [], False

    def send(self, document):
        self.orders.append(document)

    def kill(self):
        self.killed = True
        self.take(None)

    def died_of(self):
        return "signal SIGKILL"

    def running(self):
        """Names of the beds it was told to run, and not to stop."""
        beds = {}
        for order in self.orders:
            if order["do"] == "start":
                beds[order["patch"]["name"]] = order
            elif order["do"] == "stop":
                beds.pop(order["bed"], None)
        return beds

    def say(self, bed, kind, text="{}"):
        self.take({"kind": kind, "bed": bed, "run": self._run(bed), "text": text})

    def end(self, bed, **outcome):
        self.take({"kind": "ended", "bed": bed, "run": self._run(bed), "outcome": outcome})

    def _run(self, bed):
        return [o["run"] for o in self.orders if o["do"] == "start" and o["patch"]["name"] == bed][-1]


class KeepingBoard:
    def __init__(self):
        self.placed, self.removed, self.states, self.heard, self.frames = {}, [], [], [], {}

    def place(self, options):
        self.placed[options.name] = options

    def remove(self, bed):
        self.removed.append(bed)

    def state(self, bed, state, text):
        self.states.append((bed, state, text))

    def hear(self, bed, kind, text):
        self.heard.append((bed, kind, text))

    def show(self, bed, frame):
        self.frames.setdefault(bed, []).append(frame)


class House:
    """A supervisor with fake workers."""

    def __init__(self, workers=2, **more):
        self.clock, self.board, self.workers, self.said = ManualClock(), KeepingBoard(), [], []
        self.supervisor = Supervisor(self.spawn, workers, self.board, self.clock, report=self.said.append, **more)

    def spawn(self, take):
        self.workers.append(FakeWorker(take, 100 + len(self.workers)))
        return self.workers[-1]

    def use(self, *patches):
        self.supervisor.set_patches(patches)
        self.supervisor.step()

    def step(self, seconds=0.0, silent=False):
        self.clock.advance(seconds)
        for worker in self.workers:
            if not worker.killed and not silent:
                worker.take({"kind": "alive"})
        self.supervisor.step()

    def states(self):
        return {b["name"]: b["state"] for b in self.supervisor.figures()["beds"]}


def patch(name, **more):
    return Options(source=f"synthetic:{name}", name=name, **more)
