"""The dashboard: server-rendered pages for the people who run the hub.

Every page works without JavaScript; what changes stock or deliveries is a form that
calls a function of the pipeline. `frame` holds what all pages share.
"""

from flask import Flask

from app.web import login
from app.web.pages import (
    account,
    audit,
    changing,
    channel,
    channels,
    connecting,
    counting,
    deliveries,
    drifting,
    factors,
    frame,
    inbox,
    incidents,
    inspections,
    invitations,
    overview,
    people,
    policies,
    runs,
    session,
    sheets,
    stock,
    views,
)

__all__ = ["register"]

PAGES = (
    session,
    invitations,
    overview,
    incidents,
    deliveries,
    runs,
    views,
    drifting,
    stock,
    changing,
    inspections,
    counting,
    sheets,
    channels,
    channel,
    connecting,
    policies,
    inbox,
    people,
    account,
    factors,
    audit,
)
"""Each of them adds its addresses to `frame.pages` when it is imported."""


def register(app: Flask) -> None:
    """Add the dashboard."""
    frame.prepare(app)
    login.prepare(app)
    app.register_blueprint(frame.pages)
