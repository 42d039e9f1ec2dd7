"""Who made a Shopify order: its source and its tags, by which a copy is known; or nobody,
when it is a test."""

from typing import Any

from app.domain.events import Origin


def origin(document: Any) -> Origin | None:
    """Of an order; None of anything else."""
    if not isinstance(document, dict) or "line_items" not in document:
        return None
    if "order_id" in document:  # a fulfillment
        return None
    source = document.get("source_name")
    return Origin(
        str(document.get("id") or ""),
        str(document.get("name") or "").strip().removeprefix("#") or None,
        str(source) if source else None,
        _tags(document.get("tags")),
        document.get("test") is True,
    )


def _tags(told: Any) -> tuple[str, ...]:
    """Webhooks tell them as one text with commas, GraphQL as a list."""
    listed = told if isinstance(told, list) else str(told or "").split(",")
    return tuple(tag for one in listed if (tag := str(one).strip()))
