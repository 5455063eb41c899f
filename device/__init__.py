"""Everything that runs on the Raspberry Pi or Jetson: leads, model files, streaming, sinks, monitor."""
