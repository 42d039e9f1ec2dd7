"""`onecount up`: everything on this machine, with one command.

What is not named in the environment is brought along: SQLite, an embedded Valkey, a
secret key, a first login, a free port.
"""

import asyncio
import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import click

from app.embedded import valkey
from app.prepare import Login, prepare
from app.procfile import Process, processes
from app.supervise import Program, run
from config.addresses import default_public_url
from config.settings import ConfigurationError, Settings

STOP_MARGIN_SECONDS = 5
"""How long a process may need to stop after its last request to a channel."""


@click.command()
@click.option("--demo", is_flag=True, help="Add sandbox channels that play a story.")
@click.pass_obj
def command(settings: Settings, demo: bool) -> None:
    """Run Onecount on this machine until Ctrl-C."""
    _check_alerts(settings)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with only_one(settings.data_dir):
        settings = with_free_port(settings)
        login = prepare(settings, invent_login=True)
        announce = _announce(settings, login)
        patience = settings.push_deadline_seconds + STOP_MARGIN_SECONDS
        is_fine = asyncio.run(
            run(programs(settings, demo=demo), patience=patience, meanwhile=announce)
        )
    click.echo("Onecount has stopped.")
    sys.exit(0 if is_fine else 1)


def _check_alerts(settings: Settings) -> None:
    """Refuse an address that nobody could be told at, before anything is started."""
    if not settings.alerts:
        return
    from app.messenger import Messenger  # knows a hundred services: half a second

    try:
        Messenger(settings.alerts)
    except ValueError as error:
        raise ConfigurationError(
            f"ONECOUNT_ALERTS: {error}; `onecount alerts test` tries all of them"
        ) from error


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data dir for this process; refuse when another has it."""
    path = data_dir / "up.pid"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise click.ClickException(
                f"Onecount is already running on {data_dir} "
                f"(process {file.read().strip() or 'unknown'}). Stop it first, or set "
                "ONECOUNT_DATA_DIR to another folder."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


def with_free_port(settings: Settings) -> Settings:
    """Move away from the default port when it is taken; never from a chosen one."""
    if _is_free(settings.host, settings.port):
        return settings
    if settings.port != Settings.port:
        raise click.ClickException(
            f"port {settings.port} of {settings.host} is taken or not ours to use; "
            "set ONECOUNT_PORT to another"
        )
    try:
        port = _bind(settings.host, 0)
    except OSError as error:
        raise click.ClickException(
            f"nothing can listen at {settings.host} ({error.strerror}): set ONECOUNT_HOST "
            "to an address of this machine, or 0.0.0.0 for all of them"
        ) from error
    click.echo(f"Port {settings.port} is taken, so Onecount takes {port}.")
    usual = default_public_url(settings.host, settings.port)
    moved = default_public_url(settings.host, port)
    public_url = moved if settings.public_url == usual else settings.public_url
    return replace(settings, port=port, public_url=public_url)


def programs(settings: Settings, *, demo: bool) -> list[Program]:
    """All that has to run: the Procfile's lines and what they lean on."""
    env = _environment(settings)
    lines = processes()
    if demo:
        play = (sys.executable, "-m", "app.cli", "demo", "--play")
        lines.append(Process("demo", play))
    wanted = [Program(line.name, line.argv, env) for line in lines]
    return [valkey(settings, env), *wanted] if settings.embedded_redis else wanted


def _environment(settings: Settings) -> Mapping[str, str]:
    metrics = settings.data_dir / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    return {**settings.to_env(), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}


async def _announce(settings: Settings, login: Login | None) -> None:
    """Say where the dashboard is as soon as it answers."""
    while not await asyncio.to_thread(_answers, settings.host, settings.port):
        await asyncio.sleep(0.1)
    click.secho(f"\nOnecount is running. Dashboard: {settings.public_url}", bold=True)
    if login is None:
        click.echo("Log in as before; `onecount user create` adds a person.")
    else:
        click.echo(f"E-mail:   {login.email}")
        shown = login.password if login.is_generated else "(as you set it)"
        click.echo(f"Password: {shown}")
        if login.is_generated:
            click.echo("The password is shown only this once.")
    click.echo("Ctrl-C stops everything.\n")


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind((host, port))
        return int(candidate.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    """Whether the web process serves; that it listens would say too little."""
    seen = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection = HTTPConnection(seen, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
