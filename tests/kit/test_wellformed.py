"""Strict JSON: all that is JSON is taken as it is, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.kit.problems import InvalidField, Malformed
from nexus.kit.wellformed import is_json, parse_json, require_target

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_what_is_json_is_taken_to_the_letter(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text) == value
    assert parse_json(text.encode()) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_malformed(source: bytes) -> None:
    try:
        value = parse_json(source)
    except Malformed:
        return
    assert value == json.loads(source.decode())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a":1,"a":1}', "twice"),
        ('[{"a":1,"\\u0061":2}]', "twice"),
        ("[NaN]", "NaN"),
        ("-Infinity", "Infinity"),
        ("1e999", "too large"),
        ('"\\ud800"', "no characters"),
        ('{"\\udfff": 1}', "no characters"),
        ("[" * 100_000, "deeply"),
        ("1" * 5000, ""),
        ("", ""),
    ],
)
def test_what_parsers_would_read_differently_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_json(text)
    assert why in refused.value.error


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
