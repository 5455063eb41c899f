"""Build wheel and sdist so that two builds have the same bytes: ``build_dist.py OUT``.

Both are built from a clean copy of the tracked files whose times are those of the last commit (``SOURCE_DATE_EPOCH``);
the sdist is packed again, as setuptools writes the time and user of the moment into it.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREES = ("firmware_bridge", "device", "train", "export", "benchmarks")
FILES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")


def epoch() -> int:
    """Seconds of the last commit, or what the environment says."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    found = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=True)
    return int(found.stdout)


def copy_source(to: Path, at: int) -> None:
    """Copy what is tracked of the package, with one time and one permission each."""
    listed = subprocess.run(
        ["git", "ls-files", "-s", "-z", *TREES, *FILES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for line in listed.split("\0")[:-1]:
        about, _, name = line.partition("\t")
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod(0o755 if about.startswith("100755") else 0o644)
        os.utime(target, (at, at))


def build(kind: str, source: Path, out: Path) -> None:
    """Build by the package's own build system."""
    out.mkdir(parents=True, exist_ok=True)
    # Without setup.py's commands: PEP 517's hook, called as pip does.
    hook = f"import setuptools.build_meta as b; print(b.build_{kind}({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", hook], cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)


def repack(sdist: Path, at: int) -> None:
    """Write the archive again: sorted, no user, no time but `at`."""
    with tarfile.open(sdist) as old, tempfile.TemporaryDirectory() as folder:
        old.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else old.extractall(folder)
        whole = sdist.with_suffix(".part")
        with (
            whole.open("wb") as raw,
            gzip.GzipFile("", "wb", 9, raw, mtime=at) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as new,
        ):
            for path in sorted(Path(folder).rglob("*")):
                new.add(path, str(path.relative_to(folder)), recursive=False, filter=lambda info: _plain(info, at))
        whole.replace(sdist)


def _plain(info: tarfile.TarInfo, at: int) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = at
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def main(out: Path) -> int:
    """Build both into a folder."""
    at = epoch()
    os.environ["SOURCE_DATE_EPOCH"] = str(at)
    os.umask(0o022)  # the wheel holds the permissions of what is copied into it
    for kind in ("sdist", "wheel"):
        with tempfile.TemporaryDirectory() as folder:
            copy_source(Path(folder), at)
            build(kind, Path(folder), out.resolve())
    for sdist in out.glob("*.tar.gz"):
        repack(sdist, at)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
