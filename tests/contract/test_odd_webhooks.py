"""Every adapter: a signed webhook of any shape is understood or malformed, no third."""

import copy
import dataclasses
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import adapters
from app.domain.errors import MalformedPayload
from tests.contract.recorded import (
    Provider,
    fetched_message,
    message,
    recorded_message,
)
from tests.contract.soundness import assert_sound

_REMOVED = object()
_ODD = (
    *(None, True, -1, 0, 1.5, 10**30, -(2**63), "", "x", "-1", "1e400", "NaN"),
    *("9" * 5000, "2026-11-23", "0001-01-01T00:00:00+23:59", [], [1], {}, {"id": 1}),
    *([None], [[]], [{}], "Ω", _REMOVED),
)
_MOST = 400
"""Odd copies tried of one recording; which ones is fixed by its name."""


def test_an_odd_webhook_is_understood_or_malformed(provider: Provider, case: str):
    adapter = provider.adapter()
    kept = recorded_message(provider, adapter, case).document
    headers = provider.headers(case)

    wrong = [
        f"{what}: {error!r}"
        for what, document in _odd_copies(kept, f"{provider.name} {case}")
        if (error := _complaint(adapter, _said(adapter, document, headers)))
    ]

    assert wrong[:5] == []


def test_an_odd_answer_is_understood_or_malformed(provider: Provider, pointer: str):
    adapter = provider.adapter()
    said = fetched_message(provider, adapter, pointer)

    wrong = [
        f"{what}: {error!r}"
        for what, fetched in _odd_copies(said.fetched, f"{provider.name} {pointer}")
        if (
            error := _complaint(
                adapter, lambda f=fetched: dataclasses.replace(said, fetched=f)
            )
        )
    ]

    assert wrong[:5] == []


def _said(adapter: Any, document: Any, headers: dict[str, str]) -> Any:
    return lambda: message(adapter, json.dumps(document).encode(), headers)


def _complaint(adapter: Any, make: Any) -> BaseException | None:
    """What is wrong with how the adapter took this; None when all is well."""
    try:
        assert_sound(adapter.normalise(make()))
    except MalformedPayload as error:
        # The message begins with the way to the field.
        return None if re.match(r"[\w.\[\]-]+: .", str(error)) else error
    except Exception as error:  # noqa: BLE001
        return error
    return None


def _odd_copies(document: Any, seed: str) -> Iterator[tuple[str, Any]]:
    all_of_them = [(way, at) for way in _ways(document) for at in range(len(_ODD))]
    if len(all_of_them) > _MOST:
        all_of_them = random.Random(seed).sample(all_of_them, _MOST)
    for way, at in all_of_them:
        odd = "removed" if _ODD[at] is _REMOVED else repr(_ODD[at])[:40]
        yield f"{way} = {odd}", _with(document, way, _ODD[at])


def _ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if way:
        yield way
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _ways(inner, (*way, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value[:2]):
            yield from _ways(inner, (*way, at))


def _with(document: Any, way: tuple[Any, ...], odd: Any) -> Any:
    changed = copy.deepcopy(document)
    *steps, last = way
    inside = changed
    for step in steps:
        inside = inside[step]
    if odd is _REMOVED:
        del inside[last]
    else:
        inside[last] = copy.deepcopy(odd)
    return changed


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("name", adapters.names())
@settings(max_examples=60)
@given(document=st.dictionaries(st.text(max_size=8), _JSON, max_size=4))
def test_any_object_under_any_topic_is_understood_or_malformed(
    name: str, document: dict[str, Any]
):
    provider = Provider(name)
    adapter = provider.adapter()
    body = json.dumps(document).encode()

    for case in provider.cases()[:6]:
        topic = recorded_message(provider, adapter, case).topic
        assert _complaint(adapter, _about(adapter, topic, body)) is None


def _about(adapter: Any, topic: str, body: bytes) -> Any:
    return lambda: dataclasses.replace(message(adapter, body, {}), topic=topic)


@pytest.mark.parametrize("name", adapters.names())
@settings(max_examples=100)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_an_object_or_malformed(name: str, body: bytes):
    adapter = Provider(name).adapter()

    try:
        found = adapter.document(body)
    except MalformedPayload as error:
        found = error

    assert isinstance(found, dict) or str(found).startswith("body: ")
