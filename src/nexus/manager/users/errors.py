"""What can go wrong when signing in."""

from nexus.kit.problems import NotSignedIn, Problem


class WrongCredentials(NotSignedIn):
    """The same for an unknown user and a wrong password, in words and in time."""

    code = "wrong_credentials"


class TooManyAttempts(Problem):
    status, code = 429, "too_many_attempts"
