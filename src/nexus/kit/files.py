"""Files as answers, whole or in part, with the one error shape for a range that cannot be had."""

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from nexus.kit.asgi import problem_response
from nexus.kit.problems import Malformed, Problem


class RangeNotSatisfiable(Problem):
    status, code = 416, "range_not_satisfiable"


class FileAnswer(FileResponse):
    """Starlette's, whose own refusals (400 for a Range that is none, 416 for one beyond the end) are plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def told(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in _REFUSALS:
                refused = True
                given = [pair for pair in message["headers"] if pair[0] == b"content-range"]
                response = problem_response(_REFUSALS[message["status"]]())
                response.raw_headers += given
                await response(scope, receive, send)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, told)


def _malformed() -> Problem:
    return Malformed("Range: this is no range of bytes.", suggestion="Use `bytes=FIRST-LAST` or leave it out.")


def _beyond_the_end() -> Problem:
    return RangeNotSatisfiable(
        "Range: the file has no such bytes.", suggestion="Content-Range has its length; begin before that."
    )


_REFUSALS = {400: _malformed, 416: _beyond_the_end}
