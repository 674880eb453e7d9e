"""Virtual machines: the users' noun above a machine."""
