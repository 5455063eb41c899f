"""Every error a user can meet, each with its exit code and the way out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ecg_edge.firmware_bridge.extras import broken_package, why_broken


class EcgEdgeError(Exception):
    """Root of all errors raised on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in the user's words.
    fix : str
        What to do about it: a command or a setting. Shown after the message.

    Attributes
    ----------
    exit_code : int
        Exit status of the command (1 user error, 2 usage, 3 budget broken, 4 device lost).

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.reconstruct([[1.0, 2.0]], fs=0.004, leads=("I", "II"))
    ... except ee.EcgEdgeError as e:
    ...     print(e)
    fs=0.004 Hz is outside 50 to 20000 Hz
      fix: pass the samples per second of one lead, not the sampling interval: fs=250
    """

    exit_code: int = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message if not fix else f"{message}\n  fix: {fix}")
        self.message, self.fix = message, fix

    def __reduce__(self) -> tuple[object, ...]:
        return Exception.__new__, (type(self), *self.args), self.__dict__  # `__init__` may have other parameters


class UsageError(EcgEdgeError):
    """An argument is malformed or contradicts another.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.Reconstructor(fs=250, leads="I,II", mains_hz=55)
    ... except ee.UsageError as e:
    ...     print(e.message)
    mains_hz=55 is no mains frequency
    """

    exit_code = 2


class UnitsError(UsageError):
    """Samples that cannot be millivolts: microvolts, volts or counts of a converter.

    Examples
    --------
    >>> import numpy as np, ecg_edge as ee
    >>> try:
    ...     ee.reconstruct(500 * np.sin(np.arange(1000) / 40.0), fs=250, leads="I")
    ... except ee.UnitsError as e:
    ...     print(e.message)
    the leads swing by 1e+03 mV within 2 s: these look like microvolts or counts of a converter
    """


class BudgetError(EcgEdgeError):
    """A verified figure is worse than the budget allows.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.BudgetError("rmse 0.2 mV is above the budget", "export the model again").exit_code
    3
    """

    exit_code = 3


class DeviceLostError(EcgEdgeError):
    """The device went away and did not come back.

    Examples
    --------
    >>> import socket, ecg_edge as ee
    >>> device = socket.create_server(("127.0.0.1", 0))
    >>> try:
    ...     with ee.open_stream("tcp://{}:{}".format(*device.getsockname()), reconnect=False) as blocks:
    ...         device.close()  # the plug is pulled
    ...         next(blocks)
    ... except ee.DeviceLostError as e:
    ...     print(e.fix)
    check the device's power and network
    """

    exit_code = 4


class PortNotFoundError(EcgEdgeError):
    """The named port does not exist.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     with ee.open_stream("/dev/nothing") as blocks:
    ...         pass
    ... except ee.PortNotFoundError as e:
    ...     print(e.fix)
    plug the device in and name its port; `ecg-edge ports` lists them
    """


class PortBusyError(EcgEdgeError):
    """Another program holds the port, or access is denied.

    Examples
    --------
    >>> import fcntl, os, pty, ecg_edge as ee
    >>> ours, theirs = pty.openpty()  # stands for a serial port
    >>> fcntl.flock(theirs, fcntl.LOCK_EX)  # that another program holds
    >>> try:
    ...     with ee.open_stream(os.ttyname(theirs)) as blocks:
    ...         pass
    ... except ee.PortBusyError as e:
    ...     print(e.message.partition(" /dev/")[0])
    another program holds
    """


class NotAnEcgStreamError(EcgEdgeError):
    """Bytes arrive (or none do), but no decoder recognises an ECG stream in them.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.decode_bytes("auto", b"hello world " * 100)
    ... except ee.NotAnEcgStreamError as e:
    ...     print(e.message.partition(" (")[0])
    no decoder recognises an ECG stream in this
    """


class AmbiguousStreamError(NotAnEcgStreamError):
    """More than one decoder recognises the bytes equally well.

    Parameters
    ----------
    message, fix : str
        See `EcgEdgeError`.
    names : tuple of str
        The devices that fit.
    """

    def __init__(self, message: str, fix: str, names: tuple[str, ...]) -> None:
        super().__init__(message, fix)
        self.names = names


class ProtocolVersionError(EcgEdgeError):
    """The device speaks a major protocol version this build does not know.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.ProtocolVersionError("the device speaks version 9", "pip install -U my-decoder").fix
    'pip install -U my-decoder'
    """


NOT_LOADABLE = (ImportError, OSError, RuntimeError, AttributeError, TypeError, ValueError)
"""What an import of an optional package may raise: a library is missing, or built for another version."""


class MissingExtraError(EcgEdgeError):
    """An optional dependency is not installed, or is there and cannot be loaded.

    Raised while the failed import is handled, it tells the two apart and says why.

    Parameters
    ----------
    package : str
        The package that failed to import.
    extra : str
        The extra of ecg-edge that brings it.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.MissingExtraError("pandas", "pandas").fix
    'pip install "ecg-edge[pandas]"'
    """

    def __init__(self, package: str, extra: str) -> None:
        broken = why_broken(sys.exc_info()[1], NOT_LOADABLE)
        what = f"which is here and cannot be loaded: {broken}" if broken else "which is not installed"
        again = "--force-reinstall " if broken else ""
        super().__init__(f"this needs the package {package!r}, {what}", f'pip install {again}"ecg-edge[{extra}]"')
        self.package, self.extra = package, extra


class ModelFileError(EcgEdgeError):
    """The model file cannot be used: truncated, not ours, or inconsistent.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.load_model("nothing.onnx")
    ... except ee.ModelFileError as e:
    ...     print(e.fix)
    ecg-edge info lists the shipped models
    """


class OfflineModelError(ModelFileError):
    """An offline model was given where a streaming one is needed.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> assert issubclass(ee.OfflineModelError, ee.ModelFileError)  # who catches that catches this
    """


class LeadMismatchError(ModelFileError):
    """The model wants other input leads than the source has.

    Examples
    --------
    >>> import numpy as np, ecg_edge as ee
    >>> try:
    ...     ee.reconstruct(np.zeros(500), fs=250, leads="V1", model="i-int8")
    ... except ee.LeadMismatchError as e:
    ...     print(e.message.partition(" reads ")[2])
    I; the signal has V1: I missing
    """


class RecordingError(EcgEdgeError):
    """The recording cannot be written or read.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.open_source("replay:nothing.hea")
    ... except ee.RecordingError as e:
    ...     print(e.message)
    there is no recording nothing.hea
    """


class RateUnknownError(RecordingError):
    """The recording does not state its sampling rate, or states one that cannot be."""


class DiskFullError(RecordingError):
    """No space left for the recording; what was written before stays readable.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> assert issubclass(ee.DiskFullError, ee.RecordingError)  # catch it before that to make room
    """


class DataFolderError(EcgEdgeError):
    """The data folder is not what it is said to be, or a record in it is unusable.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.DataFolderError("/data holds no PTB-XL", "ecg-edge data get ptb-xl").fix
    'ecg-edge data get ptb-xl'
    """


class CheckpointError(EcgEdgeError):
    """A training run or checkpoint is missing, damaged or of another shape.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> ee.CheckpointError("last.pt is damaged", "train again").exit_code
    1
    """


class CalibrationError(EcgEdgeError):
    """The calibration cannot be used or made: damaged, of another model, lead set or patient, or harmful.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> try:
    ...     ee.read_calibration("nobody.json")
    ... except ee.CalibrationError as e:
    ...     print(e.message)
    cannot read nobody.json: No such file or directory
    """


class PluginError(EcgEdgeError):
    """A part that another package brings cannot be used: it does not import, or its name is taken.

    Examples
    --------
    >>> import ecg_edge as ee
    >>> class Faulty(ee.SinkBase):
    ...     lossless = True
    ...     def leads(self, block): raise KeyError("V9")
    >>> try:
    ...     ee.run("synthetic:", [Faulty()], seconds=1, fast=True)
    ... except ee.PluginError as e:
    ...     print(e.message.partition("a fault of Faulty")[2].partition(", ")[2])
    KeyError: 'V9'
    """


class FaultError(EcgEdgeError):
    """A fault of this program: nothing the user did."""


def owner_of(part: object) -> str:
    """Return who wrote a part that the program was given: class and module; empty for the program's own."""
    module = type(part).__module__
    return "" if module.partition(".")[0] == "ecg_edge" else f"{type(part).__qualname__} in {module}"


@contextmanager
def blamed(part: object, what: str) -> Iterator[None]:
    """Raise what a part of others raises as a `PluginError` that names it; what is typed, or ours, stays as it is.

    Parameters
    ----------
    part : object
        Whose code runs inside.
    what : str
        Its name, for the message.
    """
    try:
        yield
    except EcgEdgeError:
        raise
    except Exception as e:
        if owner := owner_of(part):
            raise as_error(e, what, owner) from e
        raise


def as_error(error: BaseException, what: str = "", owner: str = "") -> EcgEdgeError:
    """Return the error a user reads: ours as it is, the system's in its words, a fault with its kind.

    Parameters
    ----------
    error : BaseException
        What was raised; it becomes the cause.
    what : str
        Who failed, in words.
    owner : str
        Whose code it was, see `owner_of`; empty: this program's.
    """
    if isinstance(error, EcgEdgeError):
        return error
    who = f"{what}: " if what else ""
    text = " ".join(str(error).split())[:1000]
    if isinstance(error, ImportError) and (package := broken_package(error)):
        fix = f"pip install --force-reinstall {package}; what loads and what does not: ecg-edge doctor"
        typed: EcgEdgeError = EcgEdgeError(f"{who}the package {package} cannot be loaded: {text}", fix)
    elif isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        typed = EcgEdgeError(f"{who}{error.strerror or text}{place}", "check disk, permission and connection")
    elif isinstance(error, MemoryError):
        typed = EcgEdgeError(f"{who}there is not enough memory for this {text}".rstrip(), "use a smaller input")
    elif owner:
        fix = f"mend {owner}, or report this line to its authors (the whole traceback: ECG_EDGE_TRACEBACK=1)"
        typed = PluginError(f"{who}a fault of {owner}, {type(error).__name__}: {text}", fix)
    else:
        report = "report this line with the answer of: ecg-edge doctor --json (all of it: ECG_EDGE_TRACEBACK=1)"
        typed = FaultError(f"{who}a fault of ecg-edge, {type(error).__name__}: {text}", report)
    typed.__cause__ = error
    return typed
