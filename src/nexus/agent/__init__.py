"""The host agent: moves machines on one host to where the manager says they should be."""
