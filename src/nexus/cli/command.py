"""How a command is declared: the options all commands share, its examples, and what becomes of its errors.

    @command(vms, "list", examples="nexus vm list -o json")
    def list_vms(cli: Cli, *, state: Annotated[str | None, typer.Option(help="…")] = None) -> None: ...

The function gets a `Cli` first; `-o`, `--debug` and `--context` work before the noun and after the verb alike. Every
error of the CLI's contract ends here, as words and an exit code; anything else is a bug, and `main` says so.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from typer.core import TyperCommand

from nexus.cli.failures import INTERRUPTED, CliFailure, report
from nexus.cli.invocation import Cli
from nexus.cli.output import Format

P = ParamSpec("P")

OutputOption = Annotated[
    Format | None, typer.Option("-o", "--output", metavar="FORMAT", help="Print the result as table, json or yaml.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show every call to the manager as a curl command.")]
ContextOption = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Use this context instead of the current one.")
]

_SHARED = {"output": (OutputOption, None), "debug": (DebugOption, False), "context": (ContextOption, None)}


def new_app(help: str) -> typer.Typer:
    """An app for a noun."""
    return typer.Typer(help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def chosen(context: typer.Context, *, output: Format | None, debug: bool, context_name: str | None) -> Cli:
    """The run's `Cli`: what was said before the noun, overridden by what is said after the verb."""
    before = context.obj if isinstance(context.obj, Cli) else Cli()
    return replace(
        before,
        format=output or before.format,
        debug=debug or before.debug,
        context=context_name or before.context,
    )


def examples_of(*lines: str) -> str:
    """An epilog that keeps its lines."""
    return "Examples:\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


def command(
    app: typer.Typer,
    name: str,
    *,
    examples: str | tuple[str, ...],
    failure_code: int | None = None,
    cls: type[TyperCommand] | None = None,
) -> Callable[[Callable[Concatenate[Cli, P], None]], Callable[Concatenate[Cli, P], None]]:
    """Register the function below as `name`. `failure_code` replaces the exit code of every error (exec, shell)."""
    lines = (examples,) if isinstance(examples, str) else examples

    def register(function: Callable[Concatenate[Cli, P], None]) -> Callable[Concatenate[Cli, P], None]:
        @functools.wraps(function)
        def run(typer_context: typer.Context, **values: Any) -> None:
            output, debug, context_name = (values.pop(shared) for shared in _SHARED)
            cli = chosen(typer_context, output=output, debug=debug, context_name=context_name)
            call: Callable[..., None] = function
            end_well(lambda: call(cli, **values), cli=cli, failure_code=failure_code)

        _declare(run, function)
        app.command(name, epilog=examples_of(*lines), cls=cls)(run)
        return function

    return register


def _declare(run: Callable[..., None], function: Callable[..., None]) -> None:
    """Give `run` the signature that Typer is to read: the function's own options, then the shared ones."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    first = inspect.Parameter("typer_context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
    ]
    keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    parameters = [first, *keyword_only, *shared]
    run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    del run.__wrapped__  # pyright: ignore[reportFunctionMemberAccess] - or type hints would be read from there


class Tally:
    """Several things done one after another: one that fails does not keep the rest from being tried."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._exit_code = 0

    def attempt(self, work: Callable[[], None]) -> None:
        try:
            end_well(work, cli=self._cli)
        except typer.Exit as ended:
            if ended.exit_code == INTERRUPTED:
                raise
            self._exit_code = self._exit_code or ended.exit_code

    def close(self) -> None:
        """End the command with the first failure's exit code, if there was one."""
        if self._exit_code:
            raise typer.Exit(self._exit_code)


def end_well(work: Callable[[], None], *, cli: Cli, failure_code: int | None = None) -> None:
    """Do `work`; an error it may raise becomes words on standard error and an exit code."""
    try:
        work()
    except Exception as error:
        told = report(error)
        if told is None or isinstance(error, typer.Exit):
            raise
        for line in told.lines:
            cli.say(line)
        is_usage = isinstance(error, CliFailure) and error.exit_code == 2
        raise typer.Exit(failure_code if failure_code and not is_usage else told.exit_code) from None
    finally:
        sys.stdout.flush()
