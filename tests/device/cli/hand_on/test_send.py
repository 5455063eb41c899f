"""The verb ``send``: a failure is a sentence for people and a document for programs."""

import json

import pytest

from ecg_edge.device.cli.main import main


@pytest.mark.parametrize("kind", ["fhir", "dicomweb"])
def test_a_record_that_is_not_there(kind, tmp_path, capsys):
    words = ["send", str(tmp_path / "none.hea"), "--as", kind, "http://127.0.0.1:1/x", "--json"]
    assert main(words) != 0
    out, err = capsys.readouterr()
    doc = json.loads(out)
    assert "none" in doc["error"] and doc["fix"] and doc["exit"] and doc["error"] in err
