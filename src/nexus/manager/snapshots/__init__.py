"""Snapshots: what a VM was at one moment, to go back to or to make others of."""
