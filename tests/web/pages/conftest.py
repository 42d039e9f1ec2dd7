"""A person at the dashboard: logs in, reads pages, presses buttons."""

import html
import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from app.domain.channels import Wish
from app.domain.errors import GiveUp, RetryLater
from app.domain.instants import Instant, now
from app.pipeline.publishing import desired
from app.pipeline.publishing.marking import mark_all
from app.store.engine import writing
from app.store.publishing import publications as store
from app.store.tables import channels, publications, skus, users
from tests.builders import Shop

PASSWORD = "correct horse battery"
CHEAP = generate_password_hash(PASSWORD, method="scrypt:1024:8:1")
"""A hash that takes no time to check; real ones are made to be slow."""


class Person:
    """Somebody with a browser that has no JavaScript."""

    def __init__(self, app: Flask, email: str) -> None:
        self.client = app.test_client()
        self.email = email

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=headers)

    def read(self, path: str) -> str:
        response = self.get(path)
        assert response.status_code == 200, response.text
        return response.text

    def words(self, path: str) -> str:
        """What the page says: its text without tags."""
        return text_of(self.read(path))

    def token(self, path: str = "/login") -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
        assert found, f"no form on {path}"
        return html.unescape(found[1])

    def press(
        self, path: str, form: dict[str, object] | None = None, *, on: str = "/account"
    ) -> TestResponse:
        """Send a form of the page `on`, and follow to where it leads."""
        told = {"csrf_token": self.token(on), **(form or {})}
        return self.client.post(path, data=told, follow_redirects=True)

    def log_in(self, password: str = PASSWORD, **form: str) -> TestResponse:
        told = {"email": self.email, "password": password, **form}
        told["csrf_token"] = self.token()
        return self.client.post("/login", data=told)


def text_of(page: str) -> str:
    without_tags = re.sub(r"<[^>]+>", " ", page)
    return " ".join(html.unescape(without_tags).split())


@pytest.fixture
def person(app: Flask, engine) -> Callable[..., Person]:
    """Somebody with that role, logged in unless told otherwise."""

    def make(role: str = "operator", *, logged_in: bool = True) -> Person:
        email = f"{role}@blue-jacket.example"
        with writing(engine) as connection:
            connection.execute(
                users.insert().values(
                    email=email, password_hash=CHEAP, role=role, created_at=now()
                )
            )
        somebody = Person(app, email)
        if logged_in:
            assert somebody.log_in().status_code == 303
        return somebody

    return make


@pytest.fixture
def anna(person) -> Person:
    """An operator at her desk."""
    return person("operator")


class Deliveries:
    """Puts deliveries into the state a test is about."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def id(self, sku: str, channel: str = "web", place: str | None = None) -> int:
        query = (
            sa.select(publications.c.id)
            .join(skus, skus.c.id == publications.c.sku_id)
            .join(channels, channels.c.id == publications.c.channel_id)
            .where(skus.c.sku == sku, channels.c.key == channel)
            .order_by(publications.c.place)
        )
        if place is not None:
            query = query.where(publications.c.place == place)
        with self.shop.engine.connect() as connection:
            return connection.execute(query).scalars().first() or 0

    def all_settled(self, shows: int | None = None) -> None:
        """Every channel took its number; `shows` replaces the number."""
        mark_all(self.shop.engine, now())
        with writing(self.shop.engine) as connection:
            rows = connection.execute(sa.select(publications)).mappings().all()
            numbers = desired.numbers(connection, rows)
            taken = [
                Wish(
                    row["id"],
                    "",
                    "",
                    None,
                    None,
                    numbers[row["id"]] if shows is None else shows,
                    row["wanted_version"],
                )
                for row in rows
            ]
            store.accept(connection, [(wish, now()) for wish in taken], now())

    def want(self, row_id: int, at: Instant | None = None) -> None:
        with writing(self.shop.engine) as connection:
            store.mark_rows(connection, [row_id], at or now())

    def fail(
        self,
        row_id: int,
        words: str = "answered 503",
        kind: type[RetryLater | GiveUp] = RetryLater,
        status: int | None = 503,
    ) -> int:
        """It is wanted, and was given up."""
        self.want(row_id)
        with writing(self.shop.engine) as connection:
            store.fail(connection, row_id, kind(words, status=status), now())
        return row_id

    def row(self, row_id: int) -> sa.RowMapping:
        query = sa.select(publications).where(publications.c.id == row_id)
        with self.shop.engine.connect() as connection:
            return connection.execute(query).mappings().one()


@pytest.fixture
def deliveries(shop: Shop) -> Deliveries:
    deliveries = Deliveries(shop)
    deliveries.all_settled()
    return deliveries
