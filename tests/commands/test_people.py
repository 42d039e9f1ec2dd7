"""`onecount token` and `onecount user`."""

import pytest
from click.testing import CliRunner

from app.commands import token, user
from app.store.people import deeds, people

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def run(command, settings, *words, told=None):
    return CliRunner().invoke(command, words, obj=settings, input=told)


def test_a_token_is_printed_alone_and_works(settings, engine):
    result = run(token.command, settings, "create", "till", "--role", "operator")

    assert result.exit_code == 0
    printed = result.stdout.removesuffix("\n")
    with engine.connect() as connection:
        assert people.find_token(connection, printed).role == "operator"


def test_a_token_needs_a_role(settings):
    assert run(token.command, settings, "create", "till").exit_code != 0
    wrong = run(token.command, settings, "create", "till", "--role", "king")
    assert wrong.exit_code != 0
    assert "viewer" in wrong.stderr


def test_a_person_is_let_in_with_the_password_typed_twice(settings, engine):
    result = run(
        user.command,
        settings,
        *("create", "ada@example.org", "--role", "viewer"),
        told="a long password\na long password\n",
    )

    assert result.exit_code == 0
    with engine.connect() as connection:
        row = people.check_password(connection, "ada@example.org", "a long password")
    assert row["role"] == "viewer"


def test_who_was_let_in_by_the_command_line_is_in_the_audit_log(settings, engine):
    words = ("create", "ada@example.org", "--password", "a long password")
    run(user.command, settings, *words)
    run(token.command, settings, "create", "till", "--role", "operator")

    with engine.connect() as connection:
        token_made, added = deeds.page(connection, deeds.Search(), limit=9)
    assert (added["action"], added["subject"]) == ("add person", "ada@example.org")
    assert (token_made["action"], token_made["subject"]) == ("make token", "till")
    assert {added["actor"], token_made["actor"]} == {"command line"}


def test_a_login_that_exists_already_is_refused(settings):
    words = ("create", "ada@example.org", "--password", "a long password")
    assert run(user.command, settings, *words).exit_code == 0

    assert run(user.command, settings, *words).exit_code != 0
