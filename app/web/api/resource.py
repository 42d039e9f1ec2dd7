"""Resource: flask-smorest's blueprint under /api/v1, with its decorators typed.

What a view takes and gives is checked by its schemas, which OpenAPI shows too.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from flask import Request, current_app
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, missing
from webargs.flaskparser import FlaskParser

from app.web.problems import MEDIA_TYPE, Problem

Wrap: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

PREFIX = "/api/v1"


class JsonBody(FlaskParser):
    """Reads bodies; says in words why one cannot be read."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Parse the body; an empty one is missing."""
        raw = req.get_data()
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        if req.content_length is None and len(raw) >= limit:
            raise Problem(413, f"a body may have {limit} bytes at most")
        if not raw:
            return missing
        if not req.is_json:
            raise Problem(415, "send JSON, with Content-Type: application/json")
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Problem(400, f"the body is no JSON: {error}") from error
        if not isinstance(told, dict):
            raise Problem(422, 'the body must be a JSON object, {"name": value, …}')
        return told


class Resource(Blueprint):  # type: ignore[misc]
    """The views of one resource."""

    ARGUMENTS_PARSER = JsonBody()

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, __name__, url_prefix=PREFIX, description=description)

    def get(self, rule: str) -> Wrap:
        """Answer GET."""
        wrap: Wrap = self.route(rule, methods=["GET"])
        return wrap

    def post(self, rule: str) -> Wrap:
        """Answer POST."""
        wrap: Wrap = self.route(rule, methods=["POST"])
        return wrap

    def put(self, rule: str) -> Wrap:
        """Answer PUT."""
        wrap: Wrap = self.route(rule, methods=["PUT"])
        return wrap

    def delete(self, rule: str) -> Wrap:
        """Answer DELETE."""
        wrap: Wrap = self.route(rule, methods=["DELETE"])
        return wrap

    def body(self, schema: type[Schema], *, required: bool = True) -> Wrap:
        """Read the JSON body by a schema; the view gets it first."""
        wrap: Wrap = self.arguments(schema(), required=required)
        return wrap

    def query(self, schema: type[Schema]) -> Wrap:
        """Read the address's parameters by a schema; the view gets them first.

        Unknown ones are refused: a misspelt filter would answer with everything.
        """
        wrap: Wrap = self.arguments(schema(), location="query", unknown=RAISE)
        return wrap

    def answers(self, status: int, schema: type[Schema]) -> Wrap:
        """Write the view's answer by a schema."""
        wrap: Wrap = self.response(status, schema)
        return wrap

    def answers_also(self, status: int, schema: type[Schema], description: str) -> Wrap:
        """Describe another answer, when the view gives `(answer, status)`."""
        wrap: Wrap = self.alt_response(status, schema=schema, description=description)
        return wrap

    def refuses(self, status: int, schema: type[Schema], description: str) -> Wrap:
        """Describe a refusal."""
        wrap: Wrap = self.alt_response(
            status, schema=schema, content_type=MEDIA_TYPE, description=description
        )
        return wrap
