"""The web application on a real database and a real Redis, with a small shop in it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.factory import create_app, serve
from app.store.engine import writing
from app.store.people import people
from app.store.vault import Vault
from app.web.hub import EXTENSION, Hub
from config.settings import Settings
from tests.builders import JACKET, Shop
from tests.web.calls import Api


@cache
def made(settings: Settings) -> Flask:
    """One application for all tests on like settings: to make it takes longer than most
    of them do."""
    app = create_app(settings)
    close(app)
    return app


def close(app: Flask) -> None:
    hub: Hub = app.extensions[EXTENSION]
    hub.receiver.close()
    hub.engine.dispose()


@pytest.fixture
def app(settings) -> Iterator[Flask]:
    app = made(replace(settings, database_url="sqlite://", data_dir=Path()))
    serve(app, settings)
    yield app
    close(app)


@pytest.fixture
def under(app: Flask, settings: Settings) -> Callable[..., FlaskClient]:
    """The application under other settings. (Another one would take the place of the
    first with all that extensions share, and keep it.)"""

    def served(**others: object) -> FlaskClient:
        close(app)
        serve(app, replace(settings, **others))
        return app.test_client()

    return served


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def token(engine) -> Callable[[str], str]:
    def make(role: str) -> str:
        with writing(engine) as connection:
            return people.create_token(connection, f"a {role}", role)

    return make


@pytest.fixture
def woken(redis, eventually) -> Callable[[str], object]:
    """Waits until a lane is woken: the bell tells Redis from a thread of its own."""
    return lambda lane: eventually(lambda: redis.exists(f"wake:{lane}"))


@pytest.fixture
def api(client: FlaskClient, token: Callable[[str], str]) -> Api:
    """The API as an administrator's program calls it."""
    return Api(client, token("admin"))


@pytest.fixture
def shop(engine, settings) -> Iterator[Shop]:
    """Ten blue jackets downtown, a store that shows them and a till."""
    shop = Shop(engine, Vault(settings.secret_keys))
    shop.locations("downtown", "harbour")
    shop.channel("web", mapped={"downtown": "d", "harbour": "h"}, publish={})
    shop.channel("till", mapped={"downtown": "1"}, publish=None)
    shop.sku(JACKET)
    shop.listing("web", JACKET, "jacket-on-the-web")
    shop.count(JACKET, "downtown", 10)
    yield shop
    shop.receiver.close()
