"""Personal calibration."""
