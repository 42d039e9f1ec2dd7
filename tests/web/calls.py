"""Calling the API in one line."""

from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Api:
    """A program with a token."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client = client
        self.token = token

    def call(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        given = {} if body is None else {"json": body}
        return self.client.open(
            f"/api/v1{path}", method=method, headers=headers, **given
        )

    def get(self, path: str) -> Any:
        response = self.call("GET", path)
        assert response.status_code == 200, response.text
        return response.json

    def post(
        self, path: str, body: Any, key: str | None = None, status: int = 201
    ) -> Any:
        response = self.call("POST", path, body, key)
        assert response.status_code == status, response.text
        return response.json

    def refused(self, path: str, body: Any, status: int = 422) -> list[str]:
        """The fields a write is refused for."""
        response = self.call("POST", path, body)
        assert response.status_code == status, response.text
        assert response.content_type == "application/problem+json"
        return [error["field"] for error in response.json.get("errors", [])]

    def stock(self, sku: str) -> Any:
        return self.get(f"/stock/{quote(sku, safe='')}")
