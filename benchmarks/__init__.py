"""Measurements, never claims: each module or package here is a benchmark that runs by itself."""
