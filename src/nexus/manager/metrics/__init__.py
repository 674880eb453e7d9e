"""Metrics: what machines and hosts use, last and over time."""
