"""Reading a model file as untrusted bytes, and the seal that binds its parts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ecg_edge.device.inference.shipped import near_models
from ecg_edge.firmware_bridge.errors import ModelFileError

_MAX_BYTES = 64_000_000


_DIGEST = re.compile(rb"ecg_edge_sha256=([0-9a-f]{64})")


def seal(blob: bytes) -> bytes:
    """Fill in the digest of a model file that carries the placeholder ``ecg_edge_sha256=000…``.

    The digest is taken over the whole file with the placeholder still zero. So anybody who can read bytes can check it,
    whatever the format.
    """
    zero = b"ecg_edge_sha256=" + b"0" * 64
    if blob.count(zero) != 1:
        raise ModelFileError("the file has no place for its digest", "export the model again")
    return blob.replace(zero, b"ecg_edge_sha256=" + hashlib.sha256(blob).hexdigest().encode("ascii"))


def check_seal(blob: bytes, path: Path) -> str:
    """Return the digest of a sealed file, or raise `ModelFileError` saying what is wrong with it."""
    found = _DIGEST.findall(blob)
    if not found:
        raise ModelFileError(
            f"{path} is not an ecg-edge model, or is truncated: no digest in it",
            "use a file written by `ecg-edge export`, or copy it again",
        )
    if len(found) != 1:
        raise ModelFileError(f"{path} carries more than one digest", "use a file written by `ecg-edge export`")
    zeroed = blob.replace(b"ecg_edge_sha256=" + found[0], b"ecg_edge_sha256=" + b"0" * 64)
    if hashlib.sha256(zeroed).hexdigest() != found[0].decode("ascii"):
        raise ModelFileError(f"{path} is damaged: its digest does not fit its content", "copy or export it again")
    return str(found[0].decode("ascii"))


def read_model_bytes(path: Path) -> bytes:
    """Read a model file of bounded size."""
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ModelFileError(f"{path} has {size} bytes; no ecg-edge model is so large", "give a model file")
        return path.read_bytes()
    except OSError as e:
        raise ModelFileError(f"cannot read model {path}: {e.strerror or e}", near_models(path)) from e
