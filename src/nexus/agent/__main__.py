"""`python -m nexus.agent`: serve this host's machines; `doctor --json`: say what this host can do."""

import argparse
import os
import sys
from pathlib import Path

import uvloop

from nexus.agent.credential import CredentialUnreadable
from nexus.agent.doctor import examine
from nexus.agent.listening import SocketTaken
from nexus.agent.net.port import NetTrouble
from nexus.agent.programs import search_path
from nexus.agent.serve import serve
from nexus.agent.settings import DEFAULT_CONFIG, AgentSettings
from nexus.agent.vmm.choose import NoHypervisor
from nexus.agent.vmm.qemu.accel import AcceleratorTrouble
from nexus.agent.wiring import CaUnreadable
from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.kit.settings import SettingsError, load

CONFIGURATION_ERROR = 78
"""EX_CONFIG of sysexits.h: starting again will not help."""
FAILURE = 1


def main(*, clock: Clock | None = None) -> int:
    """The process's exit code. `clock`: what this process takes for the time; none: the machine's."""
    options = _parser().parse_args()
    os.environ["PATH"] = search_path(os.environ.get("PATH"))
    try:
        settings = load(AgentSettings, config=options.config, default_config=DEFAULT_CONFIG, options=_given(options))
    except SettingsError as wrong:
        sys.stderr.write(f"nexus agent: {wrong}\n")
        return CONFIGURATION_ERROR
    if options.command == "doctor":
        return _doctor(settings, as_json=options.json, strict=options.strict)
    log.setup(process="agent", level=settings.log_level)
    try:
        uvloop.run(serve(settings, clock=clock))
    except (NoHypervisor, AcceleratorTrouble, NetTrouble, CredentialUnreadable, CaUnreadable) as wrong:
        sys.stderr.write(f"nexus agent: {wrong}\n")
        return CONFIGURATION_ERROR
    except (SocketTaken, OSError) as failed:
        sys.stderr.write(f"nexus agent: {failed}\n")
        return FAILURE
    return 0


def _doctor(settings: AgentSettings, *, as_json: bool, strict: bool) -> int:
    checkup = uvloop.run(examine(settings, strict=strict))
    if as_json:
        sys.stdout.write(checkup.model_dump_json(indent=2) + "\n")
        return 0
    for finding in checkup.findings:
        fix = f" -> {finding.fix}" if finding.fix else ""
        sys.stdout.write(f"{finding.verdict:8}{finding.name}: {finding.found}{fix}\n")
    return 0


def _given(options: argparse.Namespace) -> dict[str, str | None]:
    """The settings that have an option of their own."""
    return {
        "manager": options.join,
        "join_token": options.token,
        "manager_ca": options.ca,
        "bind": options.bind,
        "advertise": options.advertise,
        "name": options.name,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nexus agent", description=__doc__)
    parser.add_argument("--config", type=Path, help="TOML file (default: nexus-agent.toml, if there is one)")
    parser.add_argument("--join", metavar="URL", help="the manager to join and report to (MANAGER_BASE)")
    parser.add_argument(
        "--token", help="a join token of that manager (AGENT_JOIN_TOKEN); needed once, and may be left out afterwards"
    )
    parser.add_argument("--ca", metavar="FILE", help="certificates to verify the manager by (AGENT_MANAGER_CA)")
    parser.add_argument("--bind", metavar="HOST:PORT", help="where to listen for the manager (AGENT_BIND)")
    parser.add_argument("--advertise", metavar="HOST:PORT", help="where the manager reaches that (AGENT_ADVERTISE)")
    parser.add_argument("--name", help="what to call this host (AGENT_NAME)")
    parser.add_argument("command", nargs="?", choices=["serve", "doctor"], default="serve")
    parser.add_argument("--json", action="store_true", help="doctor: as JSON (protocol.checkup.Checkup)")
    parser.add_argument("--strict", action="store_true", help="doctor: also what a production host must be")
    return parser


if __name__ == "__main__":
    sys.exit(main())
