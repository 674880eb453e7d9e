"""Targets that are text, and the media types that are JSON."""

import pytest

from nexus.kit.problems import InvalidField, Malformed
from nexus.kit.wellformed import is_json, require_target


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ((b"/v1/a%00", b""), Malformed),
        ((b"/v1/%ff", b""), Malformed),
        ((b"/v1/\xff", b""), Malformed),
        ((b"/v1", b"q=%c0%af"), Malformed),
        ((b"/v1", b"q=%00"), InvalidField),
        ((b"/v1/%C3%A4%E2%82%AC", b"q=%25&p=%F0%9F%98%80"), None),
    ],
)
def test_a_target_is_utf_8_without_nul(target: tuple[bytes, bytes], problem: type[Exception] | None) -> None:
    scope = {"raw_path": target[0], "path": "/", "query_string": target[1]}
    if problem is None:
        require_target(scope)
    else:
        with pytest.raises(problem):
            require_target(scope)


@pytest.mark.parametrize(
    ("content_type", "is_so"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("text/json", False),
        ("application/jsonp", False),
        ("", False),
    ],
)
def test_json_is_told_by_its_media_type(content_type: str, is_so: bool) -> None:
    assert is_json(content_type) is is_so
