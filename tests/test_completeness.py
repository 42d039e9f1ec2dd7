"""Nothing is forgotten: settings explained, one history of the schema, lock files."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from app.cli import main
from app.procfile import ROOT
from app.store.migrations import alembic_config, upgrade
from app.store.tables import metadata
from config.settings import Settings, variables

EXAMPLE = ROOT / "config" / "env.example"


def explained() -> dict[str, str]:
    lines = EXAMPLE.read_text().splitlines()
    named = (re.fullmatch(r"# ONECOUNT_([A-Z_]+)=(.*)", line) for line in lines)
    return {found[1]: found[2] for found in named if found}


def test_every_setting_is_explained_and_nothing_else() -> None:
    assert set(explained()) == set(variables())


def test_the_example_shows_the_real_defaults(tmp_path: Path) -> None:
    shown = {f"ONECOUNT_{name}": value for name, value in explained().items() if value}
    local = {"ONECOUNT_SECRET_KEY": "sixteen characters", "ONECOUNT_DATA_DIR": "var"}

    assert Settings.from_env({**shown, **local}) == Settings.from_env(local)


def test_the_schema_has_one_history() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_the_migrated_schema_is_the_one_the_code_knows(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": False}
        )
        assert compare_metadata(context, metadata) == []


def test_the_schema_has_the_constraints_the_code_knows(engine: sa.Engine) -> None:
    """Checks and uniques: autogenerate does not compare all of them."""
    found = sa.inspect(engine)
    for table in metadata.sorted_tables:
        checks = {check["name"] for check in found.get_check_constraints(table.name)}
        wanted = {
            c.name for c in table.constraints if isinstance(c, sa.CheckConstraint)
        }
        assert checks == wanted, table.name


def test_migrating_twice_changes_nothing(engine: sa.Engine) -> None:
    upgrade(engine)

    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    assert current == ScriptDirectory.from_config(alembic_config()).get_current_head()


def test_every_command_can_be_loaded_and_says_what_it_does() -> None:
    answer = CliRunner().invoke(main, ["--help"])

    assert answer.exit_code == 0
    assert "cannot be loaded" not in answer.output
    for name in ("up", "migrate"):
        assert re.search(rf"^  {name} +\w", answer.output, re.MULTILINE)


def test_every_dependency_is_locked_with_its_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": project["optional-dependencies"]["dev"],
    }
    for name, dependencies in wanted.items():
        text = (ROOT / name).read_text().lower()
        for dependency in dependencies:
            package = re.split(r"[\[>]", dependency.lower())[0]
            assert f"\n{package}==" in f"\n{text}".replace("_", "-"), package
        pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==.*\\$", text, re.MULTILINE)
        assert len(pins) > 20
        assert text.count("--hash=sha256:") >= len(pins)


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_holds_for_every_python(lock: str, python: str) -> None:
    """Also for one that needs a package which the Python that locked them does not."""
    here = {"python_version": python[:4], "python_full_version": python, "extra": ""}
    pins = re.findall(r"^(\w.+==.+) \\$", (ROOT / lock).read_text(), re.MULTILINE)
    locked = dict(needed(pins, here))
    assert len(locked) > 50
    for package in distributions():
        if canonicalize_name(package.name) in locked:
            runs_on = SpecifierSet(package.metadata.get("Requires-Python", ""))
            assert runs_on.contains(python), f"{package.name} needs {runs_on}"
            for name, asked in needed(package.requires or (), here):
                assert name in locked, f"{package.name} needs {name}"
                assert asked.contains(str(locked[name])[2:]), f"{package.name}: {name}"


def needed(
    lines: Iterable[str], here: dict[str, str]
) -> Iterator[tuple[str, SpecifierSet]]:
    for line in lines:
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate(here):
            yield canonicalize_name(wanted.name), wanted.specifier


def test_the_lock_files_name_no_registry() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--index-url" not in text
        assert "--find-links" not in text
