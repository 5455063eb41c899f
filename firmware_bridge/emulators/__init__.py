"""Devices that are not there: each sends what the real firmware sends."""
