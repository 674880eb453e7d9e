"""Why an image could not be made."""


class ImageBuildError(Exception):
    """Nothing half-made is left behind. The message says what failed; `advice` says what to do about it."""

    def __init__(self, message: str, *, advice: str) -> None:
        super().__init__(message)
        self.advice = advice
