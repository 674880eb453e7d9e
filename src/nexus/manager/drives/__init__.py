"""Drives: the disks of a machine."""
