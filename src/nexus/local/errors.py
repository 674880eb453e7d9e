"""What keeps the all-in-one from starting, in a sentence for the person at the keyboard."""


class CannotStart(Exception):
    """Nexus cannot be started on this machine as it is; the message says why and what to do."""
