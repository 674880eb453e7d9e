"""A request's body for middleware: read whole, and handed on as if nobody had looked."""

from starlette.types import Message, Receive


async def read_body(receive: Receive) -> bytes:
    """All of it, or what had come when the client went. How much that may be is BodyLimitMiddleware's to say."""
    body, has_more = bytearray(), True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
    return bytes(body)


def replay_body(body: bytes, receive: Receive) -> Receive:
    """The body that was read, once, and after it whatever comes from the client."""
    is_told = False

    async def replay() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
