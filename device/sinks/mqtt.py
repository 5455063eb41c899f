"""The twelve leads to an MQTT broker (extra `mqtt`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from ecg_edge.device.sinks.json_lines import JsonLines
from ecg_edge.device.sinks.messages import end_message
from ecg_edge.firmware_bridge.errors import MissingExtraError, PortNotFoundError, UsageError

_RETAINED = ("header", "status", "end")
_QUEUED = 600
_CONNECT_S = 10


class MqttSender:
    """Publishes lines under ``PREFIX/header``, ``/leads``, ``/note``, ``/status``, ``/end``.

    Header, status and end are retained, so that who subscribes late knows what runs. Should the process die,
    the broker publishes ``end`` for it (last will). Leads go out with QoS 0, all else with QoS 1.

    Parameters
    ----------
    url : str
        ``mqtt://[user:password@]host[:1883]/prefix``, or ``mqtts://`` with TLS (8883).

    Raises
    ------
    MissingExtraError
        The package paho-mqtt is not installed.
    UsageError
        The URL makes no sense.
    PortNotFoundError
        No broker answers, or it refuses.
    """

    def __init__(self, url: str) -> None:
        try:
            import paho.mqtt.client as mqtt
        except ImportError as e:
            raise MissingExtraError("paho", MqttSink.extra) from e
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not parts.path.strip("/"):
            raise UsageError(f"--mqtt {url} is no broker and topic", "write mqtt://host/ward/bed-7")
        self._prefix = parts.path.strip("/")
        client: Any = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if parts.username:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            client.tls_set()
        client.will_set(f"{self._prefix}/end", end_message(), qos=1, retain=True)
        client.max_queued_messages_set(_QUEUED)
        client.connect_timeout = _CONNECT_S
        answered, answer = threading.Event(), []

        def heard(*args: Any) -> None:
            answer.append(args[3])  # the reason code
            answered.set()

        client.on_connect = heard
        try:
            client.connect(parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883), keepalive=30)
        except (OSError, ValueError) as e:
            raise PortNotFoundError(f"no MQTT broker at {parts.hostname}: {e}", "check the address in --mqtt") from e
        self._client = client
        self._last: Any = None
        client.loop_start()
        if not answered.wait(_CONNECT_S) or answer[0].is_failure:
            reason = answer[0] if answer else "no answer"
            self.close()
            raise PortNotFoundError(f"the MQTT broker at {parts.hostname} refuses: {reason}", "check user and password")

    def send(self, kind: str, line: str) -> None:
        """Publish a line; returns at once, also while the broker is away."""
        qos = 0 if kind == "leads" else 1
        self._last = self._client.publish(f"{self._prefix}/{kind}", line, qos=qos, retain=kind in _RETAINED)

    def close(self) -> None:
        """Wait a little for the broker to have the last line, and leave."""
        if self._last is not None and self._client.is_connected():
            self._last.wait_for_publish(_CONNECT_S)
        self._client.disconnect()
        self._client.loop_stop()


class MqttSink(JsonLines):
    """The lines to a broker; see `MqttSender`."""

    name = extra = "mqtt"

    def __init__(self, url: str, now: Callable[[], datetime]) -> None:
        sender = MqttSender(url)
        super().__init__(sender.send, now, sender.close)
