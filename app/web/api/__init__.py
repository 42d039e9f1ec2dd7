"""/api/v1: one module per resource, described in /api/v1/openapi.json."""

from flask import Flask

from app.web.api import (
    channels,
    claims,
    counts,
    credentials,
    deeds,
    docs,
    drifts,
    explain,
    facts,
    inbox,
    incidents,
    inspections,
    listings,
    publications,
    returns,
    reversals,
    runs,
    skus,
    stock,
    transfers,
)
from app.web.api.spec import make_api
from app.web.security import csrf

__all__ = ["register"]

RESOURCES = (
    stock,
    explain,
    facts,
    counts,
    reversals,
    claims,
    transfers,
    returns,
    inspections,
    publications,
    runs,
    inbox,
    incidents,
    drifts,
    channels,
    credentials,
    listings,
    skus,
    deeds,
)


def register(app: Flask) -> None:
    """Add the API and the page that documents it."""
    api = make_api(app)
    for resource in RESOURCES:
        api.register_blueprint(resource.blueprint)
        csrf.exempt(resource.blueprint)  # programs send tokens, never cookies
    app.register_blueprint(docs.blueprint)
