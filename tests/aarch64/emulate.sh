#!/usr/bin/env bash
# The device side on an emulated Cortex-A72: function, not speed. Needs qemu-user-static and debootstrap (Debian),
# the network once, and no privileges beyond unpacking. `make test-aarch64` calls it with the built wheel.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
wheel="$1" work="${2:-.aarch64}" host="${3:-python3}"
for tool in qemu-aarch64-static debootstrap dpkg-deb; do
  command -v "$tool" >/dev/null || { echo "missing $tool: sudo apt-get install qemu-user-static debootstrap" >&2; exit 3; }
done
mkdir -p "$work"
if [ ! -x "$work/root/usr/bin/python3.11" ]; then
  echo "fetching a Debian root for arm64 …" >&2
  debootstrap --foreign --arch=arm64 --variant=minbase --include=python3 bookworm "$work/debs" "${MIRROR:-}" >"$work/debootstrap.log"
  mkdir -p "$work/root"
  for deb in "$work"/debs/var/cache/apt/archives/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
  rm -rf "$work/debs"
fi
if [ ! -d "$work/site/numpy" ]; then
  echo "fetching wheels for aarch64 …" >&2
  platforms=()
  for p in manylinux_2_28 manylinux_2_27 manylinux2014 manylinux_2_17; do platforms+=(--platform "${p}_aarch64"); done
  # The newest versions whose wheels run under this emulator; on real boards the ranges of pyproject.toml hold.
  "$host" -m pip install -q --target "$work/site" --only-binary=:all: "${platforms[@]}" --platform any \
    --python-version 3.11 --implementation cp numpy scipy pyserial onnxruntime==1.27.0 ai-edge-litert==2.1.6
fi
rm -rf "$work/site"/ecg_edge*
"$host" -m pip install -q --no-deps --target "$work/site" "$wheel"
"$host" "$here/check.py" "$work/reference"
# Children of the emulated python need the emulator as well.
root="$(cd "$work" && pwd)"
cat >"$work/python" <<END
#!/bin/sh
PYTHONPATH="$root/site" OMP_NUM_THREADS=1 exec qemu-aarch64-static -cpu cortex-a72 -L "$root/root" \\
  "$root/root/usr/bin/python3.11" "\$@"
END
chmod +x "$work/python"
ECG_EDGE_PYTHON="$root/python" "$work/python" "$here/check.py" "$work/emulated" "$work/reference"
