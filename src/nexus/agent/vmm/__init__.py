"""Hypervisors behind one port, `port`; nothing outside a driver's folder asks which it is."""
