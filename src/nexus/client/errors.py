"""What can go wrong between a program and the platform: three cases that call for three different reactions."""

from nexus.kit.problems import ProblemBody


class ClientError(Exception):
    """Base of everything the client raises."""


class ApiError(ClientError):
    """The platform answered, and the answer is no. `problem` holds its sentence, its suggestion and its request id."""

    def __init__(self, problem: ProblemBody) -> None:
        super().__init__(problem.error)
        self.problem = problem

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> str:
        return self.problem.code


class Unreachable(ClientError):
    """Nothing answered at `url`, or the answer stopped half-way. Whether a request was carried out is not known."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"Cannot reach the manager at {url}: {reason}.")
        self.url = url
        self.reason = reason


class UnexpectedAnswer(ClientError):
    """Something answered at `url` that does not speak this API, or a version of it that this client cannot read."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} answered, but not as a Nexus manager of this version would: {reason}.")
        self.url = url
