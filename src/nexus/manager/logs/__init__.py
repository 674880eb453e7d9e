"""Logs that the platform itself wrote, for its administrators: by name, never by path."""
