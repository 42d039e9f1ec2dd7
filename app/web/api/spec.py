"""The OpenAPI document: flask-smorest's, with our problem documents for errors."""

import http
from typing import Any

from flask import Flask
from flask_smorest import Api
from marshmallow import Schema, fields
from werkzeug.routing import BaseConverter

from app.web.problems import MEDIA_TYPE


class FieldError(Schema):
    """A field at fault."""

    field = fields.String(metadata={"examples": ["lines[0].quantity"]})
    detail = fields.String()


class ProblemDocument(Schema):
    """An RFC 9457 problem document."""

    type = fields.String(metadata={"format": "uri-reference"})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    errors = fields.List(fields.Nested(FieldError))


class SkuConverter(BaseConverter):
    """A SKU in an address: anything, slashes too."""

    regex = ".+?"
    part_isolating = False


class IdConverter(BaseConverter):
    """An id of ours in an address."""

    regex = "[0-9A-Za-z-]{1,64}"


class HubApi(Api):  # type: ignore[misc]
    """The API of the hub; errors are answered by `app.web.problems`."""

    ERROR_SCHEMA = ProblemDocument

    def _register_error_handlers(self) -> None:
        pass

    def _register_responses(self) -> None:
        content = {MEDIA_TYPE: {"schema": ProblemDocument}}
        for status in http.HTTPStatus:
            described = {"description": status.phrase, "content": content}
            self.spec.components.response(status.name, described, lazy=True)
        described = {
            "description": "What is wrong, and what to do.",
            "content": content,
        }
        self.spec.components.response("DEFAULT_ERROR", described, lazy=True)


def make_api(app: Flask) -> HubApi:
    """Prepare the API and the address of its document."""
    app.url_map.converters |= {"sku": SkuConverter, "id": IdConverter}
    # A SKU may begin with, end in or hold several slashes.
    app.url_map.merge_slashes = False
    app.config.update(
        API_TITLE="Onecount",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={"info": {"description": _DESCRIPTION}},
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    api = HubApi(app)
    api.register_converter(SkuConverter, _sku_parameter)
    api.register_converter(IdConverter, _id_parameter)
    api.spec.components.security_scheme(
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "description": "`onecount token create NAME --role viewer|operator|admin`",
        },
    )
    return api


def _sku_parameter(_: BaseConverter) -> dict[str, Any]:
    return {"type": "string", "minLength": 1}


def _id_parameter(converter: BaseConverter) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{converter.regex}$"}


_DESCRIPTION = """Stock, facts, claims and deliveries of one hub.

Times are ISO 8601 with a zone. Quantities are whole numbers. Lists answer
`{"items": […], "next": cursor}`: pass `next` back as `?cursor=`. Every write takes an
`Idempotency-Key`. Errors are problem documents (RFC 9457) that name the field at fault.
"""
