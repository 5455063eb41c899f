import copy
import errno
import pickle

import pytest

from ecg_edge.firmware_bridge import errors
from ecg_edge.firmware_bridge.errors import (
    AmbiguousStreamError,
    EcgEdgeError,
    FaultError,
    MissingExtraError,
    UsageError,
    as_error,
)

KINDS = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, EcgEdgeError)]


def test_the_fix_stands_below_the_message():
    e = EcgEdgeError("it is off", "switch it on")
    assert str(e) == "it is off\n  fix: switch it on" and (e.message, e.fix) == ("it is off", "switch it on")
    assert str(EcgEdgeError("alone")) == "alone"


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_error_is_documented_and_has_an_exit_code_of_its_kind(kind):
    assert kind.__doc__ and kind.exit_code in (1, 2, 3, 4)
    assert (kind.exit_code == 2) == issubclass(kind, UsageError)


def test_what_is_typed_stays_as_it_is():
    e = UsageError("x", "y")
    assert as_error(e, "a sink") is e


def test_an_error_of_the_system_is_said_in_its_words_with_its_file():
    e = as_error(OSError(errno.ENOSPC, "No space left on device", "/x/y"), "the recorder")
    assert e.message == "the recorder: No space left on device (/x/y)" and "disk" in e.fix
    assert as_error(OSError("strange")).message == "strange"


def test_memory_and_faults_have_words_of_their_own():
    assert as_error(MemoryError()).message == "there is not enough memory for this"
    assert as_error(MemoryError("9 GB")).message == "there is not enough memory for this 9 GB"
    fault = as_error(KeyError("k"), "page")
    assert isinstance(fault, FaultError) and fault.message == "page: a fault of ecg-edge, KeyError: 'k'"
    assert "doctor" in fault.fix and fault.__cause__.args == ("k",)


def test_a_long_and_broken_text_is_one_line_of_bounded_length():
    message = as_error(ValueError("a\n\n  b" + "x" * 5000)).message
    assert "\n" not in message and "a bx" in message and len(message) < 1100


def test_what_is_missing_or_ambiguous_is_named():
    e = MissingExtraError("edfio", "edf")
    assert (e.package, e.extra, e.fix) == ("edfio", "edf", 'pip install "ecg-edge[edf]"')
    assert AmbiguousStreamError("m", "f", ("a", "b")).names == ("a", "b")


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
@pytest.mark.parametrize("way", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])  # noqa: S301
def test_every_error_survives_the_way_to_another_process(kind, way):
    wanted = {MissingExtraError: ("pandas", "export"), AmbiguousStreamError: ("a or b", "say which", ("a", "b"))}
    error = kind(*wanted.get(kind, ("it is off", "switch it on")))
    other = way(error)
    assert type(other) is kind and str(other) == str(error) and vars(other) == vars(error)
