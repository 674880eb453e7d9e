"""What machines and this host use: read, told to who watches, and kept for the manager in minutes."""
