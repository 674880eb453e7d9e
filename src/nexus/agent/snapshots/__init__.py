"""Snapshots of this host's machines: taking them, keeping them, and making disks of them again."""
