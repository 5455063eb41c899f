"""What an import may load, seen in a process of its own."""

import subprocess
import sys

import pytest


def loaded_by(code):
    ask = f"import sys\n{code}\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_front_loads_nothing_heavy():
    mine = loaded_by("import ecg_edge") - loaded_by("pass")
    assert mine <= {"ecg_edge", "__future__"}


@pytest.mark.parametrize(
    ("use", "absent"),
    [
        ("ecg_edge.LEADS", {"numpy", "scipy"}),
        ("ecg_edge.EcgEdgeError", {"numpy", "scipy"}),
        ("ecg_edge.__version__", {"numpy", "scipy"}),
        ("dir(ecg_edge)", {"numpy", "scipy"}),
        ("ecg_edge.Sink", {"scipy", "onnxruntime", "serial"}),
        ("ecg_edge.SinkBase", {"scipy", "onnxruntime", "serial"}),
        ("ecg_edge.LeadBlock", {"scipy", "onnxruntime", "serial", "pandas", "matplotlib"}),
        ("ecg_edge.Decoder", {"scipy", "onnxruntime", "serial"}),
        ("ecg_edge.find_device('cyton')", {"scipy", "onnxruntime", "serial"}),
        ("ecg_edge.shipped_models()", {"scipy", "serial", "matplotlib"}),
        ("ecg_edge.reconstruct", {"matplotlib", "pandas", "serial"}),
        ("ecg_edge.open_stream", {"matplotlib", "pandas", "wfdb", "asyncio"}),
    ],
)
def test_a_name_loads_what_it_needs(use, absent):
    assert not loaded_by(f"import ecg_edge\n{use}") & absent


def test_python_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "ecg_edge", "-h"], capture_output=True, text=True, check=True)
    assert "{run" in done.stdout or " run " in done.stdout
