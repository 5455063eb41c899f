"""Channels of unknown place: fitted to a twelve-lead reference, stored, used by a run."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ecg_edge.device.cli.main import main
from ecg_edge.device.lead_algebra import channel_vector, of_basis
from ecg_edge.device.personal_calibration.fitted_place import fit_places, read_places, write_places
from ecg_edge.device.personal_calibration.reference import Reference
from ecg_edge.firmware_bridge.errors import CalibrationError
from ecg_edge.firmware_bridge.events import Channel, StreamInfo
from ecg_edge.firmware_bridge.lead_names import LEADS, SKIN, fitted_name, fitted_weights, known_channels, shown_name
from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

FS = 250


def recorded(channels, n=20 * FS):
    heart = SyntheticHeart(FS, (*LEADS, *channels), seed=4).read(n)
    return Reference("r", Fraction(FS), heart[:, :12]), dict(zip(channels, heart[:, 12:].T, strict=True))


def test_a_pair_is_found_to_be_that_pair():
    reference, channels = recorded(("RA-V5", "V1-LL"))
    for place in fit_places(reference, channels, Fraction(FS)):
        np.testing.assert_allclose(place.weights, channel_vector(place.label), atol=0.35)
        assert place.r > 0.99 and place.nearest == place.label and place.shift_s == 0
        assert sum(place.weights) == pytest.approx(0, abs=1e-9)


def test_a_later_record_is_shifted_back():
    reference, channels = recorded(("RA-V5",))
    late = {k: v[round(0.5 * FS) :] for k, v in channels.items()}
    (place,) = fit_places(reference, late, Fraction(FS))
    assert place.shift_s == pytest.approx(-0.5) and place.r > 0.99


def test_what_no_place_explains_is_refused():
    reference, channels = recorded(("RA-V5",))
    noise = np.random.default_rng(0).normal(size=len(channels["RA-V5"]))
    with pytest.raises(CalibrationError, match="no place explains ch1"):
        fit_places(reference, {"ch1": noise}, Fraction(FS))
    with pytest.raises(CalibrationError, match="in common"):
        fit_places(reference, {"ch1": channels["RA-V5"][: 4 * FS]}, Fraction(FS))


def test_a_name_carries_its_place():
    name = fitted_name("X, left", [-1, 0, 0, 0, 0, 0, 0.25, 0.75, 0])
    assert shown_name(name) == "X  left" and known_channels([name]) == (name,)
    np.testing.assert_allclose(channel_vector(name), fitted_weights(name))
    for bad in (
        "X[1 2]",
        "X[a b c d e f g h i]",
        "X[0 0 0 0 0 0 0 0 0]",
        "[1 0 0 0 0 0 0 0 -1]",
        "X[1e9 0 0 0 0 0 0 0 0]",
    ):
        assert not fitted_weights(bad) and not known_channels([bad]), bad


def test_the_file_names_a_sources_channels(tmp_path):
    reference, channels = recorded(("RA-V5",))
    places = fit_places(reference, {"CH1": channels["RA-V5"]}, Fraction(FS))
    write_places(tmp_path / "p.json", places, "p1", "r", "2024-01-01")
    assert (tmp_path / "p.json").stat().st_mode & 0o077 == 0
    names = read_places(tmp_path / "p.json")
    info = StreamInfo("x", Fraction(FS), (Channel("ch1", 1e-3), Channel("resp", 1e-3))).placed(names)
    assert shown_name(info.leads[0]) == "CH1" and info.leads[1] == "resp"
    (tmp_path / "p.json").write_text(json.dumps({"ecg_edge_places": 1, "channels": [{"label": "a", "weights": [1]}]}))
    with pytest.raises(CalibrationError, match="damaged"):
        read_places(tmp_path / "p.json")
    assert read_places(tmp_path / "none.json") == {}


def test_frank_leads_of_real_records(real_data, tmp_path, capsys):
    for record in ("s0010_re", "s0014lre"):
        path, out = str(real_data / "ptbdb" / record), tmp_path / f"{record}.json"
        arguments = ["calibrate", "--patch", path, "--reference", path, "--patient", "p", "--out", str(out), "--json"]
        assert main(arguments) == 0
        doc = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert [c["label"].lower() for c in doc["channels"]] == ["vx", "vy", "vz"]
        assert all(c["r"] > 0.9 and c["shift_s"] == 0 for c in doc["channels"])
        names = tuple(read_places(Path(out)).values())
        assert np.linalg.matrix_rank(of_basis(names)) == 3 and len(SKIN) == 9
