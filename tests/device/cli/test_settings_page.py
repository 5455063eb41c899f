from pathlib import Path

from ecg_edge.device.cli.settings_page import example, settings_page
from ecg_edge.device.live.config_file import read_config
from ecg_edge.device.sources.rescaled import Scale

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_in_docs_is_what_the_settings_make():
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == settings_page(), (
        "make it again: python -m ecg_edge.device.cli.settings_page > docs/settings.md"
    )


def test_the_example_on_the_page_can_be_read(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text(example())
    seven, eight = read_config(path)
    assert (seven.name, seven.port, seven.monitor, seven.rotate) == ("bed-7", 8765, True, "1h")
    assert (eight.device, eight.leads, eight.monitor, eight.out) == ("ad8232", "I", False, "recordings")
    assert eight.scales == {"ch1": Scale(2.4, 2048)}
