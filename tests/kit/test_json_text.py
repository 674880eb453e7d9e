"""Strict JSON: all that is JSON is taken as it is, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.kit.json_text import parse_json
from nexus.kit.problems import Malformed

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
