"""Settings: environment over TOML file over default, and a wrong value is refused with the key's name.

Each process declares one frozen class of settings. A field's name in the environment is its alias (the names the
specification promises, such as MANAGER_BIND); in the TOML file it is the field's own name.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class SettingsError(Exception):
    """A setting that cannot be used; the message names the key, where it came from and what it may be."""


class Settings(BaseModel):
    """Base of a process's settings. Give every field `Field(alias="ENV_NAME", description=…)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


S = TypeVar("S", bound=Settings)


def load(
    kind: type[S], *, config: Path | None, default_config: Path | None = None, options: Mapping[str, Any] | None = None
) -> S:
    """Read `kind` from the command line (`options`, by field name; None: not given), the environment, then `config`
    (or `default_config`, if that exists), then its defaults.

    Raises SettingsError for an unreadable file, an unknown key in it, or a value that does not fit.
    """
    source, values = _from_file(config, default_config)
    unknown = sorted(set(values) - set(kind.model_fields))
    if unknown:
        raise SettingsError(f"{source}: unknown key {unknown[0]!r} (known: {', '.join(sorted(kind.model_fields))})")
    origin = dict.fromkeys(values, str(source))
    for name, field in kind.model_fields.items():
        if field.alias and field.alias in os.environ:
            values[name] = os.environ[field.alias]
            origin[name] = f"environment variable {field.alias}"
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = value
            origin[name] = "the command line"
    try:
        return kind.model_validate(values)
    except ValidationError as refused:
        raise SettingsError(_explain(kind, refused, origin)) from refused


def _from_file(config: Path | None, default_config: Path | None) -> tuple[Path | None, dict[str, Any]]:
    path = config or default_config
    if path is None or (config is None and not path.exists()):
        return None, {}
    try:
        return path, tomllib.loads(path.read_text())
    except OSError as unreadable:
        raise SettingsError(f"cannot read {path}: {unreadable.strerror}") from unreadable
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise SettingsError(f"{path} is not valid TOML: {broken}") from broken


def _explain(kind: type[Settings], refused: ValidationError, origin: dict[str, str]) -> str:
    lines: list[str] = []
    for error in refused.errors(include_url=False):
        where = str(error["loc"][0]) if error["loc"] else ""
        name = next((n for n, f in kind.model_fields.items() if where in (n, f.alias)), where)
        alias = kind.model_fields[name].alias if name in kind.model_fields else None
        label = f"{name} ({alias})" if alias else name
        lines.append(f"{label}: {error['msg']}; given by {origin.get(name, 'nothing: it has no default')}")
    return "\n".join(lines)
