"""The all-in-one on this machine: supervisor, embedded PostgreSQL, images from packages, doctor."""
