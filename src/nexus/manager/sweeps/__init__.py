"""Periodic chores, run by exactly one manager."""

from nexus.manager.sweeps.sweeper import Sweep, Sweeper

__all__ = ["Sweep", "Sweeper"]
