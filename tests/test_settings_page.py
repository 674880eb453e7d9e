"""docs/settings.md lists every setting as the code has it; NEXUS_UPDATE_GOLDEN=1 writes it anew."""

import os
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from nexus.agent.settings import AgentSettings
from nexus.kit.settings import Settings
from nexus.manager.settings import ManagerSettings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Settings

Each process reads the environment first, then its settings file (`--config FILE`, or the one named below in the
directory it is started in; `nexus up` starts both in the data directory), then takes the default. A value that cannot
be used is refused at the start, by name. `NEXUS_DATA_DIR` is for all; see "Where things live" in
[protocol/agent.md](protocol/agent.md).
"""
PROCESSES: dict[str, type[Settings]] = {
    "The manager: `nexus-manager.toml`": ManagerSettings,
    "The agent: `nexus-agent.toml`": AgentSettings,
}


def default_of(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "by `NEXUS_DATA_DIR`"
    if field.is_required():
        return "none: it must be given"
    return "" if field.default is None else f"`{str(field.default).lower()}`"


def page() -> str:
    parts = [HEAD]
    for title, kind in PROCESSES.items():
        rows = [
            f"| `{field.alias}` | `{name}` | {default_of(field)} | {field.description} |"
            for name, field in kind.model_fields.items()
        ]
        head = "| environment | file | default | what it is |\n|---|---|---|---|\n"
        parts.append(f"## {title}\n\n{head}" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def test_the_page_is_what_the_settings_say() -> None:
    if os.environ.get("NEXUS_UPDATE_GOLDEN"):
        PAGE.write_text(page())
    assert page() == PAGE.read_text()


@pytest.mark.parametrize("kind", PROCESSES.values())
def test_every_setting_has_a_name_in_the_environment_and_says_what_it_is(kind: type[Settings]) -> None:
    assert [name for name, field in kind.model_fields.items() if not field.alias or not field.description] == []
