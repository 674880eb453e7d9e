"""Words for the person at the terminal: as they are, never wrapped into a log, never read as markup."""

from rich.console import Console
from rich.text import Text

from nexus.local.errors import CannotStart
from nexus.local.typed import as_typed


def say(console: Console, words: str, *, end: str = "\n") -> None:
    console.print(Text(as_typed(words)), end=end, soft_wrap=True)


def tell(refused: CannotStart, console: Console) -> None:
    """Say why it cannot be started."""
    console.print(Text.assemble(("error: ", "bold red"), as_typed(str(refused))), soft_wrap=True)
