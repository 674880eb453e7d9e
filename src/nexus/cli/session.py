"""`nexus login`, `logout`, `whoami`, `passwd`: sessions on a manager, kept in a context."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import contexts
from nexus.cli.command import command
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli, from_stdin
from nexus.cli.output import Column

if TYPE_CHECKING:
    from nexus.client.models import User


def register(app: typer.Typer) -> None:
    command(
        app,
        "login",
        examples=(
            "nexus login",
            "nexus login --url https://cloud.example:18080 --username ann --context work",
            "pass show nexus | nexus login --username ann --password-stdin",
        ),
    )(login)
    command(app, "logout", examples="nexus logout")(logout)
    command(app, "whoami", examples="nexus whoami")(whoami)
    command(app, "passwd", examples="nexus passwd")(change_password)


def login(
    cli: Cli,
    *,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The manager; default: the context's own.")] = None,
    username: Annotated[
        str | None, typer.Option("-u", "--username", metavar="NAME", help="Asked for if not given.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Sign in, and remember the session.

    It is kept in the current context, or in the one that --context names.
    """
    if not password_stdin and not cli.is_interactive:
        raise CliFailure(
            "There is no terminal to ask for a password.", suggestion="Use --password-stdin.", exit_code=USAGE
        )
    saved = contexts.load()
    name = cli.context or saved.current
    target = contexts.Context(url=contexts.checked_url(url)) if url else _unsigned(cli, name, saved)
    who = username or _ask_name(cli, saved.contexts.get(name))
    password = from_stdin(prompt=f"Password of {who}")
    found = cli.client_of(target).auth.login(username=who, password=password)
    signed_in = contexts.Context(url=target.url, token=found.token, username=found.user.username)
    contexts.save(saved.with_context(name, signed_in).using(name))
    cli.say(f"Signed in to {target.url} as {found.user.username} ({found.user.role}).")
    cli.result(found.user)


def logout(cli: Cli) -> None:
    """End the session on the manager, and forget it here."""
    saved = contexts.load()
    name = cli.context or saved.current
    context = saved.named(cli.context)
    if context.token is None:
        cli.say("You are not signed in.")
        return
    _end(cli, context)
    contexts.save(saved.with_context(name, context.model_copy(update={"token": None})))
    cli.say(f"Signed out of {context.url}.")


def whoami(cli: Cli) -> None:
    """Show who you are signed in as, and where."""
    found = cli.client.auth.me()
    columns: list[Column[User]] = [
        Column("User", lambda user: user.username),
        Column("Role", lambda user: user.role),
        Column("Manager", lambda _user: cli.target.url),
    ]
    cli.show(found, columns)


def change_password(cli: Cli) -> None:
    """Change your password. Without a terminal it is read from standard input: the present one, then the new."""
    current = from_stdin(prompt="Present password")
    new = from_stdin(prompt="New password")
    if cli.is_interactive and from_stdin(prompt="New password again") != new:
        raise CliFailure("The two new passwords differ. Nothing was changed.", exit_code=USAGE)
    cli.client.auth.change_password(current_password=current, new_password=new)
    cli.say("Your password is changed.")


def _unsigned(cli: Cli, name: str, saved: contexts.Contexts) -> contexts.Context:
    """Where to sign in: what NEXUS_URL or the context says, without the session that is being replaced."""
    known = cli.context if name in saved.contexts else None
    return contexts.effective(known).model_copy(update={"token": None})


def _ask_name(cli: Cli, before: contexts.Context | None) -> str:
    default = (before and before.username) or getpass.getuser()
    if not cli.is_interactive:
        return default
    typed = cli.ask(f"User name [{default}]")
    return typed or default


def _end(cli: Cli, context: contexts.Context) -> None:
    """End a session; one that the manager has ended already is what we want."""
    from nexus.client.errors import ApiError

    try:
        cli.client_of(context).auth.logout()
    except ApiError as refused:
        if refused.status != 401:
            raise
