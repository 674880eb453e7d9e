"""Rate limiters: how requests say them, and the ones that have names."""
