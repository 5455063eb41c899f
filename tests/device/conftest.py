import os
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():  # wfdb uses a pandas call that is on its way out
    warnings.simplefilter("ignore")
    import wfdb  # noqa: F401

from ecg_edge.benchmarks.measuring.chromium import Chromium
from tests.support.monitor_scene import Scene
from tests.support.tiny_model import tiny_model


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def data_folder():
    folder = os.environ.get("ECG_EDGE_DATA")
    if not folder:
        pytest.skip("ECG_EDGE_DATA is not set: no real records")
    return Path(folder)


@pytest.fixture(scope="module")
def browser():
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def scene(browser):
    made = Scene(browser)
    yield made
    made.close()


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "ignore:The inplace keyword")  # pandas, when wfdb reads notes
