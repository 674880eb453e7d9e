"""`vm metadata`, `vm user-data`: what a guest can find out about itself."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from nexus.cli import output
from nexus.cli.command import command
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.output import Format
from nexus.cli.vm.devices import tell
from nexus.cli.vm.subject import VmArgument, the_vm


def register(app: typer.Typer) -> None:
    @command(
        app,
        "metadata",
        examples=(
            "nexus vm metadata web-1",
            "nexus vm metadata web-1 --set metadata.json",
            """echo '{"role": "db"}' | nexus vm metadata web-1 --merge -""",
            "nexus vm metadata web-1 --token-needed",
            "nexus vm metadata web-1 --remove",
        ),
    )
    def metadata_vm(
        cli: Cli,
        vm: VmArgument,
        *,
        whole: Annotated[
            str | None, typer.Option("--set", metavar="FILE", help="Serve this JSON object; - reads standard input.")
        ] = None,
        merge: Annotated[
            str | None, typer.Option(metavar="FILE", help="Merge this JSON object into it; null removes.")
        ] = None,
        token_needed: Annotated[
            bool | None, typer.Option(help="Answer only those who fetch a token first (as IMDSv2 does).")
        ] = None,
        remove: Annotated[bool, typer.Option("--remove", help="Have no metadata service.")] = False,
    ) -> None:
        """Show or set what a VM's guest reads at http://169.254.169.254/ about itself.

        Beside what is set here, latest/meta-data/ and latest/user-data are served there.
        """
        target, settings = the_vm(cli, vm), cli.client.configuration
        _at_most_one("metadata", whole, merge, remove or None, token_needed)
        if whole is not None:
            tell(cli, target, settings.put(target.id, "mmds", _object(whole)), "Its metadata is set.")
        elif merge is not None:
            tell(cli, target, settings.patch(target.id, "mmds", _object(merge)), "Its metadata is set.")
        elif remove:
            tell(cli, target, settings.remove(target.id, "mmds"), "Its metadata is set.")
        elif token_needed is not None:
            config = settings.get(target.id, "mmds").model_dump(mode="json")["config"]
            config["version"] = "V2" if token_needed else "V1"
            tell(cli, target, settings.put(target.id, "mmds/config", config), "Its metadata is set.")
        else:
            shown = settings.get(target.id, "mmds").model_dump(mode="json")
            output.write(output.serialised(shown, Format.JSON if cli.format is Format.TABLE else cli.format))

    @command(
        app,
        "user-data",
        examples=(
            "nexus vm user-data web-1 --set cloud-config.yaml",
            "nexus vm user-data web-1",
            "nexus vm user-data web-1 --remove",
        ),
    )
    def user_data_vm(
        cli: Cli,
        vm: VmArgument,
        *,
        whole: Annotated[
            str | None, typer.Option("--set", metavar="FILE", help="Have cloud-init find this; - reads standard input.")
        ] = None,
        remove: Annotated[bool, typer.Option("--remove", help="Have it find nothing.")] = False,
    ) -> None:
        """Show or set what cloud-init in a VM's guest is to do at its next start, if the image has cloud-init."""
        target, settings = the_vm(cli, vm), cli.client.configuration
        _at_most_one("user-data", whole, remove or None)
        if whole is not None:
            tell(
                cli, target, settings.put(target.id, "user-data", {"user_data": _text(whole)}), "Its user-data is set."
            )
        elif remove:
            tell(cli, target, settings.remove(target.id, "user-data"), "Its user-data is set.")
        else:
            shown = settings.get(target.id, "user-data").model_dump(mode="json")
            if cli.format is Format.TABLE:
                output.write(shown["user_data"] or "")
            else:
                output.write(output.serialised(shown, cli.format))


def _at_most_one(verb: str, *given: object) -> None:
    if sum(one is not None for one in given) > 1:
        raise CliFailure("Ask for one thing at a time.", suggestion=f"See `nexus vm {verb} --help`.", exit_code=USAGE)


def _text(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise CliFailure(f"{path} cannot be read: {unreadable}", exit_code=USAGE) from unreadable


def _object(path: str) -> dict[str, Any]:
    try:
        read: object = json.loads(_text(path))
    except ValueError as wrong:
        raise CliFailure(f"{path} is no JSON: {wrong}", exit_code=USAGE) from wrong
    if not isinstance(read, dict):
        raise CliFailure(f"{path} holds no JSON object.", exit_code=USAGE)
    return cast("dict[str, Any]", read)
