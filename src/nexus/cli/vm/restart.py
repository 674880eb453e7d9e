"""What becomes of a VM whose host restarted."""

from enum import StrEnum


class RestartPolicy(StrEnum):
    ALWAYS = "always"
    NEVER = "never"
