"""Structured logs: one JSON object a line on standard error, carrying the request id of whatever is being served.

`bind()` puts a field on every line of the current task and of the tasks it starts. No secret may be passed to a log
call; as a second line of defence, values under a name that smells of one are masked.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog._config import BoundLoggerLazyProxy

_SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "credential", "private_key")

_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Without local variables: one of them may be a password."""


def _mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "***"
    return event


def setup(*, process: str, level: str = "info", pretty: bool = False) -> None:
    """Configure logging for this process; `process` names it on every line (manager, agent, up)."""
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _mask_secrets,
            _TRACEBACKS if not pretty else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    structlog.contextvars.bind_contextvars(process=process)


def get(name: str) -> Any:
    """A logger: `log.info("machine_started", machine_id=…)`; the first word is a stable event name, in snake_case."""
    # Lazy: modules make theirs while they are imported, before setup() has said how to log.
    return BoundLoggerLazyProxy(None, initial_values={"logger": name})


def bind(**fields: object) -> None:
    """Put fields on every further line of this task."""
    structlog.contextvars.bind_contextvars(**fields)


def bound(name: str) -> object | None:
    """What `bind` put under this name, or None."""
    return structlog.contextvars.get_contextvars().get(name)
