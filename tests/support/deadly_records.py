"""Work on records that ends its own process, for tests of what goes on then."""

import os
import signal
from pathlib import Path

from ecg_edge.device.offline.many_records import try_record


def deadly(plan, source, out):
    """Die of one record every time, of another the first time only."""
    once = Path(out).parent / "died-once"
    if "deadly" in source:
        os.kill(os.getpid(), signal.SIGKILL)
    if "shaky" in source and not once.exists():
        once.parent.mkdir(parents=True, exist_ok=True)
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return try_record(plan, source, out)
