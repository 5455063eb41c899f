"""Where leads go, one file per outlet: terminal, JSON lines, sockets, MQTT, LSL, Prometheus."""
