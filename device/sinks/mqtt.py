"""The twelve leads to an MQTT broker (extra `mqtt`)."""

from __future__ import annotations

import secrets
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ecg_edge.device.sinks.home_assistant import discovery
from ecg_edge.device.sinks.json_lines import JsonLines
from ecg_edge.device.sinks.messages import end_message
from ecg_edge.device.sinks.network import Network
from ecg_edge.firmware_bridge.errors import NOT_LOADABLE, MissingExtraError, PortNotFoundError, UsageError

_RETAINED = ("header", "status", "end")
_STALE = ("leads", "status")
"""What nobody wants any more once the broker is back."""
_QUEUED = 600
_CONNECT_S = 10
_LEAVE_S = 2
_NO_SETTINGS = Network()


class MqttSender:
    """Publishes lines under ``PREFIX/header``, ``/leads``, ``/note``, ``/status``, ``/end``.

    Every line has ``run``, which differs from run to run. Header, status and end are retained, so that who subscribes
    late knows what runs. Should the process die, the broker publishes ``end`` for it (last will). At every connection
    header and status are published again and ``end`` is cleared, whatever the broker has kept or forgotten. Leads go
    out with QoS 0, all else with QoS 1.

    Parameters
    ----------
    url : str
        ``mqtt://[user[:password]@]host[:1883]/prefix``, or ``mqtts://`` with TLS (8883).
    network : Network
        The authority of the broker's certificate, and the password where the URL has none.

    Raises
    ------
    MissingExtraError
        The package paho-mqtt is not installed.
    UsageError
        The URL makes no sense; the message does not hold it.
    PortNotFoundError
        No broker answers, or it refuses.
    """

    def __init__(self, url: str, network: Network = _NO_SETTINGS) -> None:
        try:
            import paho.mqtt.client as mqtt
        except NOT_LOADABLE as e:
            raise MissingExtraError("paho", MqttSink.extra) from e
        parts, port = _split(url)
        self._prefix = parts.path.strip("/")
        self._run = secrets.token_hex(4)
        self._kept: dict[str, str] = {}
        self._discovery = tuple(discovery(self._prefix, network.discovery)) if network.discovery else ()
        self._lost, self._other, self._away = 0, "", False
        self._last: Any = None
        self._answered, self._refusal = threading.Event(), ""
        client: Any = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client = client
        if parts.username:
            password = unquote(parts.password) if parts.password is not None else network.broker_password
            client.username_pw_set(unquote(parts.username), password or "")
        if parts.scheme == "mqtts":
            _use_tls(client, network.broker_ca)
        client.will_set(self._topic("end"), self._mark(end_message()), qos=1, retain=True)
        client.max_queued_messages_set(_QUEUED)
        client.connect_timeout = _CONNECT_S
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_message = self._heard
        self._begin(str(parts.hostname), port)

    def _begin(self, host: str, port: int) -> None:
        try:
            self._client.connect(host, port, keepalive=30)
        except (OSError, ValueError) as e:
            fix = "check the address in --mqtt"
            if isinstance(e, ssl.SSLError):
                fix = "name the authority of its certificate: --mqtt-ca FILE"
            raise PortNotFoundError(f"no MQTT broker at {host}: {e}", fix) from e
        self._client.loop_start()
        if not self._answered.wait(_CONNECT_S) or self._refusal:
            self.close()
            reason = self._refusal or "no answer"
            raise PortNotFoundError(f"the MQTT broker at {host} refuses: {reason}", "check user and password")

    @property
    def trouble(self) -> str:
        """What is wrong now."""
        if self._away:
            return f"the broker is away, {self._lost} blocks are lost"
        return f"another run publishes under {self._prefix}" if self._other else ""

    @property
    def lost(self) -> int:
        """Blocks that were not sent because the broker was away."""
        return self._lost

    def send(self, kind: str, line: str) -> None:
        """Publish a line; returns at once, also while the broker is away."""
        marked = self._mark(line)
        if kind in _RETAINED:
            self._kept[kind] = marked
        if kind in _STALE and not self._client.is_connected():
            self._lost += kind == "leads"
            return
        self._last = self._publish(kind, marked)

    def close(self) -> None:
        """Wait a little for the broker to have the last line, and leave."""
        if self._last is not None and self._client.is_connected():
            self._last.wait_for_publish(_LEAVE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, kind: str, payload: str) -> Any:
        qos = 0 if kind == "leads" else 1
        return self._client.publish(self._topic(kind), payload, qos=qos, retain=kind in _RETAINED)

    def _topic(self, kind: str) -> str:
        return f"{self._prefix}/{kind}"

    def _mark(self, line: str) -> str:
        return f'{line[:-1]},"run":"{self._run}"}}'

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            self._away = False
            client.subscribe(self._topic("status"))
            if "end" not in self._kept:
                self._publish("end", "")  # an empty message clears what is retained
            for topic, message in self._discovery:
                client.publish(topic, message, qos=1, retain=True)
            for kind, line in tuple(self._kept.items()):
                self._publish(kind, line)
        self._answered.set()

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._away = True

    def _heard(self, client: Any, data: Any, message: Any) -> None:
        """A fresh status that is not of this run: two patients would share a topic."""
        own = f'"run":"{self._run}"'.encode()
        if not message.retain and message.payload and own not in message.payload:
            self._other = self._prefix


def _split(url: str) -> tuple[SplitResult, int]:
    """Take a URL apart; errors do not hold it, for it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), 0
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not parts.path.strip("/"):
        fix = "write mqtt://host/ward/bed-7; in user and password write / as %2F and @ as %40"
        raise UsageError("--mqtt names no broker and topic", fix)
    if "+" in parts.path or parts.query or "#" in url:
        raise UsageError("the topic of --mqtt has a character that topics do not have", "leave #, + and ? out")
    return parts, port


def _use_tls(client: Any, authority: str | None) -> None:
    try:
        client.tls_set(ca_certs=authority)
    except (OSError, ValueError) as e:
        reason = e.strerror or e if isinstance(e, OSError) else e
        raise UsageError(f"--mqtt-ca {authority} cannot be used: {reason}", "name a certificate in PEM") from e


class MqttSink(JsonLines):
    """The lines to a broker; see `MqttSender`."""

    name = extra = "mqtt"

    def __init__(self, url: str, now: Callable[[], datetime], network: Network = _NO_SETTINGS) -> None:
        self._sender = MqttSender(url, network)
        super().__init__(self._sender.send, now, self._sender.close)

    @property
    def trouble(self) -> str:
        """The broker is away, or another run shares the topic."""
        return self._sender.trouble

    @property
    def lost(self) -> int:
        """Blocks that were not sent."""
        return self._sender.lost
