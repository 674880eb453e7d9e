"""Hosts: where machines run."""
