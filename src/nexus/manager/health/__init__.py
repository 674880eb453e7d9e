"""Whether this manager lives and can serve."""
