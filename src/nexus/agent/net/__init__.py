"""How guests are connected: on a bridge of the host, or through the hypervisor's own rootless stack."""
