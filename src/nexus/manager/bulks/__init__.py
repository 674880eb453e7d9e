"""Bulks: one verb for many VMs."""
