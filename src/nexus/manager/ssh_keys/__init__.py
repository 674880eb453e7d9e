"""SSH keys: public keys that users keep here by name, to be let into new VMs."""
