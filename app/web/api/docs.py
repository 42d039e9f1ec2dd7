"""GET /api/docs: our OpenAPI document to read and try, from files served here."""

from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, abort, send_from_directory

from app.web.security import CONTENT_SECURITY_POLICY, talisman

blueprint = Blueprint("api-page", __name__, url_prefix="/api/docs")

_FILES = Path(str(files("flask_swagger_ui"))) / "dist"
_SERVED = {
    "swagger-ui.css",
    "index.css",
    "swagger-ui-bundle.js",
    "favicon-32x32.png",
}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Onecount API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="stylesheet" href="/api/docs/index.css">
<link rel="icon" type="image/png" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the document itself is at
<a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</noscript>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "/api/v1/openapi.json",
  deepLinking: true,
  persistAuthorization: false,
});
"""

# Swagger UI sets style attributes itself; scripts still come from here only.
_POLICY = {**CONTENT_SECURITY_POLICY, "style-src": ["'self'", "'unsafe-inline'"]}


@blueprint.get("")
@talisman(content_security_policy=_POLICY)  # type: ignore[untyped-decorator]
def page() -> str:
    """Show the API's documentation."""
    return _PAGE


@blueprint.get("/start.js")
def start() -> Response:
    """Open the document: a file of its own, since pages hold no inline script."""
    return Response(_START, mimetype="text/javascript")


@blueprint.get("/<name>")
def asset(name: str) -> Response:
    """Serve the files of Swagger UI that the page needs."""
    if name not in _SERVED:
        abort(404)
    return send_from_directory(_FILES, name, max_age=24 * 3600)
