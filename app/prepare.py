"""What has to be true before the first process starts: a schema, and a first login."""

import secrets
from dataclasses import dataclass, field

from app.store.engine import open_engine, writing
from app.store.migrations import upgrade
from app.store.people import people
from config.settings import Settings

DEFAULT_EMAIL = "admin@localhost"


@dataclass(frozen=True)
class Login:
    """The first person who may come in."""

    email: str
    password: str = field(repr=False)
    is_generated: bool


def prepare(settings: Settings, *, invent_login: bool) -> Login | None:
    """Bring the database up to date; return the first login if it was made now.

    Without `invent_login` one is made only when the settings name address and password.
    """
    engine = open_engine(settings.database_url)
    try:
        upgrade(engine)
        login = _first_login(settings, invent_login=invent_login)
        if login is None:
            return None
        with writing(engine) as connection:
            if people.any_user(connection):
                return None
            people.create_user(connection, login.email, login.password, people.ADMIN)
        return login
    finally:
        engine.dispose()


def _first_login(settings: Settings, *, invent_login: bool) -> Login | None:
    if not invent_login and not (settings.admin_email and settings.admin_password):
        return None
    return Login(
        email=settings.admin_email or DEFAULT_EMAIL,
        password=settings.admin_password or secrets.token_urlsafe(12),
        is_generated=not settings.admin_password,
    )
