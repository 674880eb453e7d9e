"""Machines: what the engine moves. VMs (later containers and functions) refer to one each."""
