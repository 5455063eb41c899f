"""The module path that systemd units of version 0.1 name; ``python -m ecg_edge`` is the way now."""

import sys

from ecg_edge.device.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
