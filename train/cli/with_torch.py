"""How a verb gets torch."""

from __future__ import annotations

import os
from typing import Any

from ecg_edge.firmware_bridge.errors import MissingExtraError


def torch_verb(threads: int) -> Any:
    """Import torch with waiting threads that sleep: spinning ones starve whatever else runs."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "train") from None
    torch.set_num_threads(threads)
    return torch
