"""What can be wrong with a request for metrics."""

from nexus.kit.problems import InvalidField, NotAllowed


class MetricsDisabled(NotAllowed):
    code = "metrics_disabled"

    def __init__(self) -> None:
        super().__init__(
            "This manager does not stream metrics.", suggestion="Unset MANAGER_METRICS_DISABLED to have them."
        )


class NoSuchSpan(InvalidField):
    code = "no_such_span"

    def __init__(self) -> None:
        super().__init__(
            "from: it must be before `to`, and both a time of this century.",
            suggestion="Leave out both for the last hour.",
        )
