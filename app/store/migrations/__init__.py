"""The schema's history. `upgrade` brings a database to its newest state."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from app.domain.errors import BadConfiguration
from app.store.engine import is_sqlite
from app.store.gate import gate, gate_path


def alembic_config() -> Config:
    """Alembic's configuration without a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply what is missing. Starting several processes at once is safe.

    Raises BadConfiguration when a newer release has been at work.
    """
    config = alembic_config()
    _make_folder(engine)
    _check_known(engine, config)
    with gate(gate_path(engine)), engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _check_known(engine: Engine, config: Config) -> None:
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    history = ScriptDirectory.from_config(config).walk_revisions()
    if found is not None and found not in {known.revision for known in history}:
        raise BadConfiguration(
            f"the database was brought to revision {found} by a newer release: install "
            "that one, or restore the backup that was made before it"
        )


def _make_folder(engine: Engine) -> None:
    if is_sqlite(engine) and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
