"""NICs: the network interfaces of a machine."""
