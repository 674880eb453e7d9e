"""Machines of this host: what each should be, and the worker that moves it there."""
