"""The schema's history. `upgrade` brings a database to its newest state."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

from app.store.engine import gate, gate_path, is_sqlite


def alembic_config() -> Config:
    """Alembic's configuration without a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply what is missing. Starting several processes at once is safe."""
    config = alembic_config()
    _make_folder(engine)
    with gate(gate_path(engine)), engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _make_folder(engine: Engine) -> None:
    if is_sqlite(engine) and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
