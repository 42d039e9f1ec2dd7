"""create_app: the web application, wired. It decides nothing."""

import os
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.bell import Bell
from app.pipeline.receive import Receiver
from app.queues import Wakes
from app.store.driver import give_up_after
from app.store.engine import open_engine
from app.store.vault import Vault
from app.web import api, health, metrics, pages, problems, security, texts
from app.web.hub import EXTENSION, Hub
from app.web.webhooks import Webhooks
from config.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SILENCE = 20
"""Seconds without an answer of the database after which a request is answered by us: the
longest page takes a few, and senders of webhooks hang up after five."""


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application; nothing connects until it is used."""
    if settings is None:
        settings = Settings.from_env(os.environ)
    app = security.Site("app.web")
    texts.prepare(app)
    security.protect(app, settings)
    problems.register(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    api.register(app)
    pages.register(app)
    serve(app, settings)
    return app


def serve(app: Flask, settings: Settings) -> None:
    """Let an application work on the database and Redis that the settings name."""
    app.extensions[EXTENSION] = hub = make_hub(settings)
    others: WSGIApplication = partial(Flask.wsgi_app, app)
    if number := settings.proxies:
        others = ProxyFix(others, x_for=number, x_proto=number, x_host=number)
    app.wsgi_app = Webhooks(  # type: ignore[method-assign]
        hub.receiver, hub.engine, settings.max_body_bytes, others
    )


def make_hub(settings: Settings) -> Hub:
    """Open what a process needs."""
    # A request holds two connections at most: a key's lock, and its transaction.
    engine = open_engine(settings.database_url, pool_size=settings.web_threads)
    give_up_after(engine, SILENCE)
    vault = Vault(settings.secret_keys)
    bell = Bell(Wakes(settings.redis_url, patience=1))
    receiver = Receiver(engine, vault, bell, settings)
    return Hub(settings, engine, vault, bell, receiver)
