"""What crosses between manager, agent and guest: frozen models and the errors both sides share. Nothing else."""

PROTOCOL_VERSION = 1
"""Bumped when a change would confuse the other side; both sides say theirs at first contact."""
