"""Which rows a retry or replay is about: `{"ids": […]}` or `{"filter": {…}}`."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.web.api.fields import LARGEST_ID, number

MOST_IDS = 1000


def chosen(name: str, wanted: type[Schema]) -> type[Schema]:
    """The schema of a choice whose filter is `wanted`."""
    return type(
        name,
        (Choice,),
        {"filter": fields.Nested(wanted), "__doc__": Choice.__doc__},
    )


class Choice(Schema):
    """Rows by id or by filter, not both."""

    ids = fields.List(
        fields.Integer(strict=True, validate=validate.Range(min=1, max=LARGEST_ID)),
        validate=validate.Length(min=1, max=MOST_IDS),
    )

    @validates_schema
    def one_way(self, data: dict[str, Any], **_: Any) -> None:
        """Ids or a filter."""
        if ("ids" in data) == ("filter" in data):
            raise ValidationError('give either "ids" or "filter"', "ids")


class Matched(Schema):
    """How many rows it was about."""

    matched = number(required=True)
