#!/usr/bin/env bash
# The core alone, from the wheel, on one Python: a run, then the tests of the device side.
#   tests/core_only.sh PYTHON WHEEL FOLDER [CONSTRAINTS]
set -euo pipefail
python="$1" wheel="$2" folder="$3" constraints="${4:-/dev/null}"

echo "core alone: $("$python" --version), constraints: $(tr '\n' ' ' <"$constraints")" >&2
"$python" -m venv "$folder"
pip=("$folder/bin/python" -m pip install -q --disable-pip-version-check -c "$constraints")
"${pip[@]}" "$wheel"
command="$folder/bin/ecg-edge"
"$command" run synthetic: --fast --seconds 5 --json >/dev/null
"$command" doctor >/dev/null
"$folder/bin/python" -c 'import sys, ecg_edge; assert not {"numpy", "scipy"} & sys.modules.keys()'

# The tests' own tools; what needs more than these is left out and listed.
"${pip[@]}" pytest hypothesis onnx wfdb
ECG_EDGE_CORE_ONLY=1 ECG_EDGE_NO_SKIPS='' "$folder/bin/python" -m pytest -q tests/device tests/firmware_bridge -m "not browser"
