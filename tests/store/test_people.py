"""People and tokens."""

import pytest
import sqlalchemy as sa

from app.domain.errors import BadConfiguration
from app.store.engine import writing
from app.store.people import people
from app.store.tables import api_tokens, users

PASSWORD = "correct horse"


@pytest.fixture
def ada(engine) -> int:
    with writing(engine) as connection:
        return people.create_user(connection, " Ada@Example.org ", PASSWORD, "operator")


def check(engine, email, password):
    with engine.connect() as connection:
        return people.check_password(connection, email, password)


def test_a_person_comes_in_with_the_right_password_only(engine, ada):
    assert check(engine, "ADA@example.org", PASSWORD)["id"] == ada
    assert check(engine, "ada@example.org", PASSWORD + " ") is None
    assert check(engine, "bob@example.org", PASSWORD) is None


def test_a_person_who_was_shut_out_does_not_come_in(engine, ada):
    with writing(engine) as connection:
        connection.execute(users.update().values(disabled_at=1))

    assert check(engine, "ada@example.org", PASSWORD) is None
    with engine.connect() as connection:
        assert people.user_by_id(connection, ada) is None


def test_no_password_and_no_token_is_stored_in_plain(engine, ada):
    with writing(engine) as connection:
        token = people.create_token(connection, "till", "viewer")
        stored = [
            *connection.execute(sa.select(users)).all(),
            *connection.execute(sa.select(api_tokens)).all(),
        ]

    assert PASSWORD not in str(stored)
    assert token not in str(stored)


@pytest.mark.parametrize(
    ("email", "password", "role", "field"),
    [
        ("ada@example.org", PASSWORD, "admin", "email"),
        ("nobody", PASSWORD, "admin", "email"),
        ("a b@example.org", PASSWORD, "admin", "email"),
        ("bob@example.org", "short", "admin", "password"),
        ("bob@example.org", PASSWORD, "king", "role"),
    ],
)
def test_a_login_that_cannot_be_meant_names_the_field(
    engine, ada, email, password, role, field
):
    with writing(engine) as connection, pytest.raises(BadConfiguration) as refused:
        people.create_user(connection, email, password, role)

    assert refused.value.field == field


def test_somebody_can_log_in_once_somebody_was_let_in(engine):
    with writing(engine) as connection:
        assert not people.any_user(connection)
        people.create_user(connection, "ada@example.org", PASSWORD)
        assert people.any_user(connection)


def test_a_token_is_found_by_itself_until_it_is_revoked(engine):
    with writing(engine) as connection:
        token = people.create_token(connection, "till", "viewer")
        found = people.find_token(connection, token)
        assert (found.name, found.role) == ("till", "viewer")
        assert people.find_token(connection, token[:-1]) is None
        assert people.find_token(connection, "") is None

        connection.execute(api_tokens.update().values(revoked_at=1))
        assert people.find_token(connection, token) is None


@pytest.mark.parametrize(("name", "role"), [("", "viewer"), ("till", "king")])
def test_a_token_needs_a_name_and_a_role(engine, name, role):
    with writing(engine) as connection, pytest.raises(BadConfiguration):
        people.create_token(connection, name, role)


def test_each_role_may_do_what_those_before_it_may():
    allowed = {
        (role, needed)
        for role in people.ROLES
        for needed in people.ROLES
        if people.allows(role, needed)
    }

    assert allowed == {
        ("viewer", "viewer"),
        ("operator", "viewer"),
        ("operator", "operator"),
        ("admin", "viewer"),
        ("admin", "operator"),
        ("admin", "admin"),
    }
    assert not people.allows("king", "viewer")
