"""`python -m nexus.manager [--config FILE] [COMMAND]`: serve, or work on the database itself."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import uvloop

from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.kit.db import TROUBLE
from nexus.kit.seal import SealError
from nexus.kit.settings import SettingsError, load
from nexus.manager import accounts
from nexus.manager.migrate import MigrationError, migrate, missing
from nexus.manager.serve import PortTaken, TlsUnusable, serve
from nexus.manager.settings import DEFAULT_CONFIG, ManagerSettings
from nexus.manager.users.service import DefaultPassword
from nexus.manager.wiring import describe

CONFIGURATION_ERROR = 78
"""EX_CONFIG of sysexits.h: starting again will not help."""
_EXPECTED = (MigrationError, DefaultPassword, PortTaken, TlsUnusable, SealError, accounts.AccountError)


def main(*, clock: Clock | None = None) -> int:
    """The process's exit code: 0, or 78 (wrong settings) or 1 with one line on standard error that says what to do.
    `clock`: what this process takes for the time; none: the machine's."""
    arguments = _parser().parse_args()
    if arguments.command == "openapi":
        print(json.dumps(describe().openapi(), indent=2, sort_keys=True))  # noqa: T201 - its output
        return 0
    try:
        settings = load(ManagerSettings, config=arguments.config, default_config=DEFAULT_CONFIG)
        log.setup(process="manager", level=settings.log_level)
        uvloop.run(_run(arguments, settings, clock))
    except SettingsError as wrong:
        print(f"nexus manager: {wrong}", file=sys.stderr)  # noqa: T201 - for the person who started it
        return CONFIGURATION_ERROR
    except _EXPECTED as refused:
        print(f"nexus manager: {refused}", file=sys.stderr)  # noqa: T201 - for the person who started it
        return 1
    except TROUBLE as unreachable:
        print(f"nexus manager: the database cannot be used: {unreachable}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _run(arguments: argparse.Namespace, settings: ManagerSettings, clock: Clock | None) -> None:
    dsn = settings.database_url.get_secret_value()
    match arguments.command:
        case "migrate":
            print(json.dumps({"applied": await migrate(dsn)}))  # noqa: T201
        case "check-database":
            print(json.dumps({"missing": await missing(dsn)}))  # noqa: T201
        case "mint-session":
            print(json.dumps(await accounts.mint_session(dsn, arguments.username)))  # noqa: T201
        case "set-password":
            password = await asyncio.to_thread(accounts.read_password, arguments.username)
            await accounts.set_password(dsn, arguments.username, password)
        case _:
            await serve(settings, clock=clock)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nexus.manager", description="The Nexus manager.")
    parser.add_argument("--config", type=Path, help=f"TOML file of settings (default: ./{DEFAULT_CONFIG} if it exists)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="serve the API and move flows (the default)")
    commands.add_parser("migrate", help="bring the database up to date and end")
    commands.add_parser("check-database", help="say what `migrate` would apply, or why it would refuse; change nothing")
    commands.add_parser("openapi", help="print the API's description; needs no database")
    minting = commands.add_parser("mint-session", help="sign a user in, straight on the database; prints JSON")
    minting.add_argument("--username", default="root")
    setting = commands.add_parser("set-password", help="set a user's password, straight on the database")
    setting.add_argument("--username", default="root")
    return parser


if __name__ == "__main__":
    sys.exit(main())
