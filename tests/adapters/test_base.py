"""What is kept of a webhook: the fields that are named, in a shape a database takes."""

import json

import pytest
from hypothesis import given, strategies as st

from adapters.keeping import keep, parse, storable
from app.domain.errors import MalformedPayload

SHAPE = {
    "id": True,
    "tags": True,
    "lines": {"sku": True, "by_place": {"*": {"n": True}}},
}


def test_only_the_named_fields_are_kept():
    said = {
        "id": 7,
        "email": "ada@example.com",
        "tags": ["a", "b"],
        "lines": [
            {"sku": "SCARF", "note": "for Ada", "by_place": {"x": {"n": 1, "m": 2}}}
        ],
    }

    assert keep(said, SHAPE) == {
        "id": 7,
        "tags": ["a", "b"],
        "lines": [{"sku": "SCARF", "by_place": {"x": {"n": 1}}}],
    }


def test_what_is_not_there_stays_away_and_null_stays_null():
    assert keep({}, SHAPE) == {}
    assert keep({"id": None, "lines": None}, SHAPE) == {"id": None, "lines": None}


def test_text_where_an_object_should_be_is_noted_and_not_kept():
    """An error can say that it was text; what it said may be anybody's name."""
    assert keep({"lines": "Ada Example"}, SHAPE) == {"lines": "(text)"}
    assert keep({"lines": ["Ada Example", {"sku": "A"}]}, SHAPE) == {
        "lines": [None, {"sku": "A"}]
    }
    assert keep({"lines": 5}, SHAPE) == {"lines": 5}


_ANY_TEXT = st.text(st.characters(), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3)
    ),
    max_leaves=10,
)


@given(_JSON)
def test_whatever_is_kept_can_be_stored_as_text(document: object):
    stored = json.dumps(storable(document), ensure_ascii=False).encode()

    assert b"\0" not in stored
    assert b"\\u0000" not in stored
    assert storable(json.loads(stored)) == json.loads(stored)


@given(_JSON)
def test_ordinary_text_is_kept_as_it_was(document: object):
    words = json.dumps(document)
    if "\\u0000" not in words and "\\ud" not in words:
        assert storable(document) == document


def test_a_document_nested_without_end_is_kept_as_far_as_anybody_reads():
    deep: object = "x"
    for _ in range(500):
        deep = [deep]

    json.dumps(storable({"id": deep}))


def test_a_byte_order_mark_is_no_error():
    assert parse(b'\xef\xbb\xbf{"id": 1}') == {"id": 1}


@pytest.mark.parametrize("body", [b'{"a": Infinity}', b"{'a': 1}", b'{"a": 1,}', b""])
def test_what_is_only_nearly_json_is_malformed(body: bytes):
    with pytest.raises(MalformedPayload, match="body: not JSON"):
        parse(body)
