"""A headless Chromium, driven over the DevTools protocol: enough to test a page and to picture it."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ecg_edge.firmware_bridge.errors import EcgEdgeError, MissingExtraError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_MAX_MESSAGE = 64 << 20
Json: TypeAlias = Any
"""What a script in the page may return: anything JSON can say."""


class BrowserError(EcgEdgeError):
    """The browser did not start, or a script in the page failed."""


def find_browser() -> str | None:
    """Path of an installed Chromium or Chrome, or None."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


class Chromium:
    """One page of one browser process. Use as a context manager.

    Parameters
    ----------
    path : str, optional
        The executable; the first of `BROWSERS` by default.

    Raises
    ------
    BrowserError
        No browser is installed, or it ends before it listens.
    MissingExtraError
        The package websockets is not installed.
    """

    def __init__(self, path: str | None = None) -> None:
        try:
            from websockets.sync.client import connect
        except ImportError as e:
            raise MissingExtraError("websockets", "web") from e
        program = path or find_browser()
        if program is None:
            raise BrowserError("no Chromium found", "apt-get install chromium")
        self._cleanup = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            profile = undo.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            self._process = subprocess.Popen(
                [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.PIPE, text=True
            )
            undo.callback(self._end_process)
            address = self._address()
            where = urlsplit(address)
            # A socket of our own keeps a proxy in the environment out of a loopback connection.
            plain = socket.create_connection((where.hostname or "127.0.0.1", where.port or 0))
            self._socket = undo.enter_context(connect(address, sock=plain, max_size=_MAX_MESSAGE, compression=None))
            self._cleanup = undo.pop_all()
        self._id = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and remove its profile."""
        self._cleanup.close()

    def _end_process(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def _address(self) -> str:
        for line in self._process.stderr or ():
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                return found.group(1)
        raise BrowserError("the browser ended before it was ready", "run it by hand to see why")

    def call(self, method: str, /, **params: object) -> dict[str, Any]:
        """Call a DevTools method and return its result.

        Raises
        ------
        BrowserError
            The browser refuses it.
        """
        self._id += 1
        message: dict[str, Any] = {"id": self._id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._id:
                break
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        result: dict[str, Any] = answer["result"]
        return result

    def goto(self, url: str) -> None:
        """Open an address and wait until the page has loaded.

        Raises
        ------
        BrowserError
            Nothing answers there.
        """
        result = self.call("Page.navigate", url=url)
        if "errorText" in result:
            raise BrowserError(f"{url}: {result['errorText']}", "is the server running?")
        self.wait_for("document.readyState === 'complete'")

    def js(self, expression: str) -> Json:
        """Evaluate an expression (a promise is awaited) and return its value as JSON would.

        Raises
        ------
        BrowserError
            The expression throws.
        """
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(f"{expression}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 20.0) -> None:
        """Wait until an expression is true.

        Raises
        ------
        BrowserError
            It is still not true after `timeout_s` seconds.
        """
        end = time.monotonic() + timeout_s
        while not self._came_true(expression, end - time.monotonic()):
            if time.monotonic() > end:
                raise BrowserError(f"still not true after {timeout_s:g} s: {expression}")

    def _came_true(self, expression: str, timeout_s: float) -> bool:
        """Wait on the page that is there; False too where it gives way to another meanwhile."""
        try:
            came = self.js(
                f"new Promise((done) => {{ const end = performance.now() + {1000 * timeout_s}; const look = () => {{"
                f" let v; try {{ v = ({expression}); }} catch (e) {{ v = null; }}"
                " if (v || performance.now() > end) done(Boolean(v)); else setTimeout(look, 15); }; look(); })"
            )
        except BrowserError as e:
            if "navigated" not in e.message:
                raise
            return False
        return bool(came)

    def viewport(self, width: int, height: int, scale: float = 1.0, mobile: bool = False) -> None:
        """Set the size of the page in CSS pixels, and the device pixels in each."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def press(self, key: str, shift: bool = False) -> None:
        """Press and release a key: a character, or a name such as ``Tab``; with shift held or not."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowLeft": 37}.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            more: dict[str, object] = {**(text if kind == "keyDown" else {}), "modifiers": 8 if shift else 0}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def type(self, field: str, text: str) -> None:
        """Write into the field of an id, in place of what is there, and press Enter."""
        self.js(f"document.getElementById({json.dumps(field)}).select()")
        self.call("Input.insertText", text=text)
        self.press("Enter")

    def screenshot(self, path: Path) -> None:
        """Save what the viewport shows as PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))
