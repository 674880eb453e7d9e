"""Asking twice changes once: see `claim` for how, `middleware` for what clients see."""

from nexus.manager.idempotency.claim import keep

__all__ = ["keep"]
