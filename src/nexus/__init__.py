"""Nexus: a self-hosted cloud on microVMs."""

__version__ = "0.1.0"
