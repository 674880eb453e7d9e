"""Plumbing without domain words: anything here could serve another product unchanged."""
