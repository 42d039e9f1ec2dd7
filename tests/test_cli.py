"""The `onecount` command: what a person reads when something is wrong."""

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app import commands
from app.cli import main
from app.prepare import prepare
from config.settings import Settings

BROKEN = "import a_module_that_nobody_has\n"
WORKING = """
import click
from app.domain.errors import BadConfiguration

@click.command()
@click.pass_obj
def command(settings):
    "Say where the data is."
    click.echo(settings.data_dir)

"""
REFUSING = WORKING.replace(
    "click.echo(settings.data_dir)", "raise BadConfiguration('line 3: no such SKU')"
)
READING = WORKING.replace(
    "click.echo(settings.data_dir)",
    """
    from app.cli import database

    with database(settings).connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = on")
        connection.exec_driver_sql("CREATE TABLE goods (sku)")
    """,
)


@pytest.fixture
def onecount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run `onecount` with commands of the test's own."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setattr(commands, "__path__", [str(folder)])

    def run(
        command: str, *arguments: str, text: str = WORKING, **environ: str
    ) -> Result:
        (folder / f"{command}.py").write_text(text)
        name = command.rstrip("_")
        given = {"ONECOUNT_DATA_DIR": str(tmp_path), **environ}
        return CliRunner(env=given).invoke(main, [name, *arguments])

    yield run
    for name in [name for name in sys.modules if name.startswith("app.commands.zz")]:
        del sys.modules[name]


def test_a_command_gets_the_settings(onecount, tmp_path: Path) -> None:
    answer = onecount("zz_where")

    assert answer.exit_code == 0
    assert answer.output == f"{tmp_path}\n"


def test_a_command_may_be_called_like_a_python_keyword(onecount) -> None:
    assert onecount("zzimport_").exit_code == 0


def test_wrong_settings_are_one_message_and_exit_2(onecount) -> None:
    answer = onecount("zz_where", ONECOUNT_PORT="x", ONECOUNT_WEB_THREADS="0")

    assert answer.exit_code == 2
    assert "ONECOUNT_PORT" in answer.stderr
    assert "ONECOUNT_WEB_THREADS" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_help_needs_no_settings_and_makes_no_files(onecount, tmp_path: Path) -> None:
    answer = onecount("zz_where", "--help", ONECOUNT_PORT="x")

    assert answer.exit_code == 0
    assert "Say where the data is." in answer.output
    assert not (tmp_path / "secret_key").exists()


def test_what_the_trade_refuses_is_one_line_and_exit_1(onecount) -> None:
    answer = onecount("zz_refusing", text=REFUSING)

    assert answer.exit_code == 1
    assert answer.stderr == "Error: line 3: no such SKU\n"


def test_a_database_that_can_only_be_read_is_named(onecount) -> None:
    answer = onecount("zz_reading", text=READING)

    assert answer.exit_code == 1
    assert "Error: the database can only be read (" in answer.stderr


def test_a_broken_command_takes_no_other_with_it(onecount) -> None:
    broken = onecount("zz_broken", "--any", "thing", text=BROKEN)
    working = onecount("zz_where")
    helped = CliRunner().invoke(main, ["--help"])

    assert broken.exit_code == 1
    assert "a_module_that_nobody_has" in broken.stderr
    assert working.exit_code == 0
    assert "zz_broken" in helped.output
    assert "zz_where" in helped.output


def test_a_database_that_does_not_answer_is_no_traceback(tmp_path: Path) -> None:
    answer = CliRunner(
        env={
            "ONECOUNT_DATA_DIR": str(tmp_path),
            "ONECOUNT_DATABASE_URL": "postgresql://hub@127.0.0.1:1/hub",
            "ONECOUNT_SECRET_KEY": "a key of sixteen and more",
        }
    ).invoke(main, ["migrate"])

    assert answer.exit_code == 1
    assert "the database does not answer" in answer.stderr


def test_an_unknown_command_is_a_usage_error() -> None:
    answer = CliRunner().invoke(main, ["fly"])

    assert answer.exit_code == click.UsageError.exit_code
    assert "No such command" in answer.stderr


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_first_login_is_made_once(settings: Settings) -> None:
    first = prepare(settings, invent_login=True)
    again = prepare(settings, invent_login=True)

    assert first is not None
    assert len(first.password) >= 12
    assert again is None


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_release_invents_no_login(settings: Settings) -> None:
    assert prepare(settings, invent_login=False) is None
