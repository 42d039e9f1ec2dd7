"""The `onecount` command: one module in `app/commands` per sub-command.

A module is imported only when its command is wanted, so that one which cannot be
imported takes none of the others with it.
"""

import errno
import importlib
import os
import pkgutil
from pathlib import Path
from typing import Any

import click
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from app import commands
from app.domain.errors import HubError
from app.store.engine import open_engine
from app.store.trouble import trouble
from config import logs
from config.settings import ConfigurationError, Settings

ENVIRON = "onecount.environ"
"""Where commands find the environment, which only entrances may read."""
ACTOR = "command line"
"""Who did what a command does, in the audit log and in the ledger."""


class Refused(click.ClickException):
    """The command did not work: one line on standard error, no traceback."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


class NewFile(click.Path):
    """A file that is going to be written: whether it can be is asked before anything
    else is done."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """The path, if it can be written."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.exists() and not os.access(path.parent, os.W_OK):
            self.fail(f"there is no folder {path.parent} to write to", param, ctx)
        return path


def database(settings: Settings) -> Engine:
    """What a command reads and writes; its connections are closed when it ends."""
    engine = open_engine(settings.database_url)
    click.get_current_context().call_on_close(engine.dispose)
    return engine


class Commands(click.Group):
    """Finds commands by module name; `import_.py` holds `import`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in alphabetical order."""
        found = pkgutil.iter_modules(commands.__path__)
        return sorted(module.name.rstrip("_") for module in found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; what cannot be imported says so when it is run."""
        modules = {module.name for module in pkgutil.iter_modules(commands.__path__)}
        name = next((n for n in (cmd_name, f"{cmd_name}_") if n in modules), None)
        if name is None:
            return None
        try:
            module = importlib.import_module(f"app.commands.{name}")
        except ImportError as error:
            return _broken(cmd_name, error)
        found: click.Command = module.command
        found.name = cmd_name
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Read the settings once a command is really going to run."""
        resolved = super().resolve_command(ctx, args)
        # `load` looks up secrets there, `demo` starts processes with it.
        ctx.meta[ENVIRON] = os.environ
        if ctx.obj is None and not {*ctx.help_option_names} & {*args}:
            ctx.obj = Settings.from_env(os.environ)
            logs.configure(ctx.obj)
        return resolved

    def invoke(self, ctx: click.Context) -> Any:
        """Turn what a person can mend into one line."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise Refused(str(error), exit_code=2) from error
        except HubError as error:
            raise Refused(str(error)) from error
        except DBAPIError as error:
            why = trouble(error)
            if why is None:
                raise
            words, *_ = str(error.orig).splitlines()
            raise Refused(f"{why} ({words})") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Refused("there is no room for what was to be written") from error


def _broken(name: str, error: ImportError) -> click.Command:
    problem = f"{name} cannot be loaded: {error}"

    def refuse() -> None:
        raise Refused(problem) from error

    return click.Command(
        name,
        callback=refuse,
        short_help=f"({problem})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


@click.group(cls=Commands)
def main() -> None:
    """One stock count that every channel listens to."""


if __name__ == "__main__":
    main(prog_name="onecount")
