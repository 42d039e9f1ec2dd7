"""Who made a Shopify order, from webhooks and from our own reading."""

import json

import pytest

from adapters.http import Http
from adapters.parts.shopify_origin import origin
from adapters.shopify import Shopify
from app.domain.channels import Channel
from app.domain.events import Message, Origin


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("amazon, gift , ", ("amazon", "gift")),
        (["amazon", "gift"], ("amazon", "gift")),
        ("", ()),
        (None, ()),
    ],
)
def test_tags_come_as_text_or_list(tags, expected):
    told = {"id": 7, "name": "#1001", "source_name": "web", "tags": tags}

    assert origin(told | {"line_items": []}) == Origin("7", "1001", "web", expected)


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"id": 7},
        {"id": 8, "order_id": 7, "line_items": []},
        {"missing": "7"},
    ],
)
def test_what_is_no_order_has_no_origin(document):
    assert origin(document) is None


def test_an_order_is_normalised_with_its_origin():
    channel = Channel(1, "web", "shopify", settings={"shop": "a.myshopify.com"})
    adapter = Shopify(channel, Http("Shopify", "web"))
    at = "2026-11-20T10:00:00Z"
    body = {
        "id": 7,
        "name": "#1001",
        "created_at": at,
        "updated_at": at,
        "source_name": "580111",
        "tags": "amazon, buyer ada@example.com",
        "line_items": [],
    }

    kept = adapter.document(json.dumps(body).encode())
    said = adapter.normalise(Message("orders/create", kept, 0))

    assert said.origin is not None
    assert said.origin.source == "580111"
    assert said.origin.tags[0] == "amazon"
    assert "ada@example.com" not in str(kept)
