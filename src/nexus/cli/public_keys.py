"""Public SSH keys in files. A private key is refused here, before it leaves this machine."""

import sys
from pathlib import Path

from nexus.cli.failures import USAGE, CliFailure

STDIN = "-"


def names_a_file(given: str) -> bool:
    """Whether `given` means a file; without a slash or the ending .pub it is the name of a registered key."""
    return "/" in given or given.endswith(".pub")


def keys_in(file: str) -> list[str]:
    """The public keys in an OpenSSH file (`-`: standard input), one a line. Raises CliFailure."""
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).expanduser().read_text()
    except OSError as unreadable:
        raise CliFailure(f"Cannot read {file}: {unreadable.strerror}.", exit_code=USAGE) from unreadable
    except UnicodeDecodeError as binary:
        raise CliFailure(f"Cannot read {file}: it is not text.", exit_code=USAGE) from binary
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not keys or any("PRIVATE KEY" in line or len(line.split()) < 2 for line in keys):
        raise CliFailure(f"{file} holds no public key.", suggestion="Give the file that ends in .pub.", exit_code=USAGE)
    return keys


def files(incomplete: str) -> list[str]:
    """For completion: folders and .pub files as `incomplete` goes on, written the way it begins."""
    above, slash, _ = incomplete.rpartition("/")
    try:
        found = list(Path(above + slash or ".").expanduser().iterdir())
    except OSError:
        return []
    fitting = [f"{above}{slash}{one.name}{'/' * one.is_dir()}" for one in found if one.is_dir() or one.suffix == ".pub"]
    return sorted(path for path in fitting if path.startswith(incomplete))
