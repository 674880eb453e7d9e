"""`python -m nexus.agent`: serve this host's machines; `doctor --json`: say what this host can do."""

import argparse
import sys
from pathlib import Path

import uvloop

from nexus.agent.credential import CredentialUnreadable
from nexus.agent.doctor import examine
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
    if options.command == "doctor":
        return _doctor(settings, as_json=options.json)
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


def _doctor(settings: AgentSettings, *, as_json: bool) -> int:
    checkup = uvloop.run(examine(settings))
    if as_json:
        sys.stdout.write(checkup.model_dump_json(indent=2) + "\n")
        return 0
    for finding in checkup.findings:
        fix = f" -> {finding.fix}" if finding.fix else ""
        sys.stdout.write(f"{finding.verdict:8}{finding.name}: {finding.found}{fix}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nexus agent", description=__doc__)
    parser.add_argument("--config", type=Path, help="TOML file (default: nexus-agent.toml, if there is one)")
    parser.add_argument("command", nargs="?", choices=["serve", "doctor"], default="serve")
    parser.add_argument("--json", action="store_true", help="doctor: as JSON (protocol.checkup.Checkup)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
