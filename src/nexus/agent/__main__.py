"""`python -m nexus.agent`: serve this host's machines; `doctor --json`: say what this host can do."""

import argparse
import sys
from pathlib import Path

import uvloop

from nexus.agent.credential import CredentialUnreadable
from nexus.agent.net.port import NetTrouble
from nexus.agent.serve import SocketTaken, serve
from nexus.agent.settings import DEFAULT_CONFIG, AgentSettings
from nexus.agent.vmm.choose import NoHypervisor
from nexus.agent.vmm.qemu.accel import AcceleratorTrouble
from nexus.kit import log
from nexus.kit.settings import SettingsError, load

CONFIGURATION_ERROR = 78
"""EX_CONFIG of sysexits.h: starting again will not help."""
FAILURE = 1


def main() -> int:
    options = _parser().parse_args()
    try:
        settings = load(AgentSettings, config=options.config, default_config=DEFAULT_CONFIG)
    except SettingsError as wrong:
        sys.stderr.write(f"nexus agent: {wrong}\n")
        return CONFIGURATION_ERROR
    log.setup(process="agent", level=settings.log_level)
    try:
        uvloop.run(serve(settings))
    except (NoHypervisor, AcceleratorTrouble, NetTrouble, CredentialUnreadable) as wrong:
        sys.stderr.write(f"nexus agent: {wrong}\n")
        return CONFIGURATION_ERROR
    except (SocketTaken, OSError) as failed:
        sys.stderr.write(f"nexus agent: {failed}\n")
        return FAILURE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nexus agent", description=__doc__)
    parser.add_argument("--config", type=Path, help="TOML file (default: nexus-agent.toml, if there is one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
