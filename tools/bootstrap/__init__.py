"""Prepares a checkout: system packages, virtual environment, guest binary.

Runs on the machine's own Python before anything is installed, so it is standard library only. Every step stamps what it
was done for and is skipped while that has not changed: a second run takes a fraction of a second and no network.
"""
