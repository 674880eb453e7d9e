"""Templates: saved VM configurations, to make more of the same."""
