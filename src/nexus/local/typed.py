"""What the command is called where it was typed.

Messages call it `nexus`. In a checkout that may be no command at all, and whoever pastes it gets "not found"; so the
launcher says how it was called, and what is told to a person says the same.
"""

import os
import re
import shlex

VARIABLE = "NEXUS_COMMAND"
"""Set by the launcher where `nexus` alone would not find it: `./nexus`, `../nexus/nexus` …"""
COMMANDS = (
    *("up", "down", "doctor", "vm", "snapshot", "image", "template", "ssh-key", "host", "operation", "logs", "context"),
    *("events", "login", "logout", "whoami", "passwd", "manager", "agent", "version", "completion"),
)
"""What may follow for `nexus` to be the command; else it is the name of something. A test holds it to the CLI's."""
_COMMAND = re.compile(rf"(?<![\w./~-])nexus(?= (?:{'|'.join(COMMANDS)})(?![\w-]))")


def as_typed(words: str) -> str:
    """The words with each `nexus …` in them as it has to be typed here."""
    command = os.environ.get(VARIABLE)
    return _COMMAND.sub(lambda _: shlex.quote(command), words) if command else words
