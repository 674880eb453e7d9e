"""Images and disks of this host."""
