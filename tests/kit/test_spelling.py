"""What people are told when a name or another field does not fit: words, no patterns."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI
from pydantic import Field

from nexus.kit.fields import Id, RequestBody, Spelled
from nexus.kit.http import handle_problems

RULE = "2 to 5 lowercase letters"
Name = Annotated[str, Spelled(r"^[a-z]{2,5}$", RULE), Field(description="A name")]


class Thing(RequestBody):
    name: Name
    other: Id | None = None
    size: int = Field(default=1, ge=1, le=9)


app = FastAPI()
handle_problems(app)


@app.post("/things")
async def make(thing: Thing) -> str:
    return thing.name


async def send(body: dict[str, object]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://manager") as client:
        return await client.post("/things", json=body)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"name": "A b"}, f"name: must be {RULE}."),
        ({"name": 7}, f"name: must be {RULE}."),
        ({}, "name: is missing."),
        ({"name": "abc", "colour": 1}, "colour: is not known here."),
        ({"name": "abc", "other": "x"}, "other: must be an id (a UUID)."),
        ({"name": "abc", "size": 0}, "size: must be at least 1."),
        ({"name": "abc", "size": 10}, "size: must be at most 9."),
        ({"name": "abc", "size": "1"}, "size: must be a whole number."),
    ],
)
async def test_what_does_not_fit_is_told_in_words(sent: dict[str, object], error: str) -> None:
    answer = await send(sent)
    assert (answer.status_code, answer.json()["error"]) == (422, error)


async def test_what_is_spelled_well_passes() -> None:
    assert (await send({"name": "abc"})).json() == "abc"


def test_programs_still_find_the_pattern() -> None:
    assert Thing.model_json_schema()["properties"]["name"]["pattern"] == r"^[a-z]{2,5}$"
