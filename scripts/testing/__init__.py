"""Doubles of devices and records for tests and for trying the report without a phone."""
