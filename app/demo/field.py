"""The storm's field: a whole hub, three channels, and what may happen to them.

Everything is real but the channels: `onecount up` with all its processes and a Valkey,
on a database of one's own. Nothing is called from inside.
"""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests
import sqlalchemy as sa
from redis import Redis
from sqlalchemy.engine import Engine

from app.demo import equipment
from app.demo.equipment import PLACE, item
from app.demo.hub import free_port, started
from app.demo.sandboxes import Sandbox
from app.domain.drift import is_plausible
from app.domain.instants import HOUR, iso, now
from app.procfile import ROOT
from app.store.engine import open_engine, writing
from app.store.people import people
from app.store.watching import drifts
from config.settings import Settings

World = TypeVar("World", bound="Field")


class Unexpected(Exception):
    """The hub said something else than it should."""


@dataclass
class Field:
    """One hub and its channels."""

    settings: Settings
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes]
    engine: Engine
    channels: dict[str, Sandbox]
    token: str = ""
    _goods: Iterator[int] = field(default_factory=count)

    @property
    def address(self) -> str:
        """Where the hub is."""
        return f"http://127.0.0.1:{self.settings.port}"

    # -- what people and channels do ------------------------------------------

    def onecount(self, *arguments: str) -> str:
        """Run a command, as the owner would."""
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=ROOT,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unexpected(done.stdout + done.stderr)
        return done.stdout

    def stock(self, quantity: int) -> str:
        """A SKU that nobody has touched yet, counted an hour ago; its name."""
        sku = equipment.sku_name(next(self._goods))
        at = iso(now() - HOUR)
        line = {"sku": sku, "quantity": quantity, "counted_at": at}
        self.post("counts", {"location": "downtown", "lines": [line]}, 201)
        return sku

    def post(self, path: str, body: Mapping[str, Any], expected: int) -> Any:
        """Call our API; return what it said. Raises Unexpected."""
        answer = requests.post(
            f"{self.address}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        _check(answer, expected)
        return answer.json()

    def sell(self, key: str, sku: str, quantity: int = 1, **more: Any) -> Any:
        """Sell one item in a channel; raise SoldOut."""
        at_once = {"shipped": True} if key == "till" else {}
        return self.channels[key].sell(
            item(key, sku), quantity, place=PLACE[key], **at_once, **more
        )

    def take_ours(self) -> None:
        """Take ours wherever a number was set to nothing or tenfold by hand.

        Only that waits for a person; any other open question is left open, and seen.
        """
        with self.engine.connect() as connection:
            asked = drifts.page(connection, limit=100, state=drifts.WAITS)
        for one in asked:
            if not is_plausible(one["theirs"], one["believed"]):
                with contextlib.suppress(Unexpected):  # it ended meanwhile
                    self.post(f"drifts/{one['id']}/decide", {"take": "ours"}, 200)

    # -- what is seen ----------------------------------------------------------

    def shows(self, key: str, sku: str) -> int:
        """A channel's own number."""
        return self.channels[key].shows(item(key, sku), PLACE[key])

    def all_show(self, sku: str, number: int) -> bool:
        """Whether every channel shows this number."""
        return all(self.shows(key, sku) == number for key in PLACE)

    def level(self, sku: str) -> Any:
        """What our API says of a SKU."""
        answer = requests.get(
            f"{self.address}/api/v1/stock/{sku}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        _check(answer, 200)
        return answer.json()

    def is_settled(self) -> bool:
        """Whether nothing is on its way: no webhook, no message, no push."""
        query = sa.text(
            "SELECT (SELECT count(*) FROM publications WHERE wanted_version > "
            "accepted_version) + (SELECT count(*) FROM inbox WHERE state = 'waiting') "
            "+ (SELECT count(*) FROM channels WHERE publish IS NOT NULL "
            "AND marked_to < (SELECT max(id) FROM ledger))"
        )
        waiting = any(
            one.state()["webhooks"]["waiting"] for one in self.channels.values()
        )
        with self.engine.connect() as connection:
            return not waiting and connection.execute(query).scalar_one() == 0

    def waiting(self) -> list[Any]:
        """What is not done yet, to be read when it should be."""
        statements = (
            "SELECT name, until FROM leases",
            (
                "SELECT key, failures, held_until, held_reason, slow_until, "
                "reads_failed, reads_held_until, paused_at FROM channels"
            ),
            (
                "SELECT topic, lane, state, attempts, error FROM inbox "
                "WHERE state <> 'applied' ORDER BY id DESC LIMIT 20"
            ),
            (
                "SELECT channel_id, sku_id, wanted_version, accepted_version, unsure, "
                "attempts, misses, doubt_at, next_attempt_at, failed_at, error_class, "
                "last_error FROM publications "
                "WHERE wanted_version > accepted_version"
            ),
        )
        with (
            self.engine.connect() as connection,
            Redis.from_url(self.settings.redis_url) as client,
        ):
            rows = [connection.execute(sa.text(one)).all() for one in statements]
            return [now(), *rows, sorted(client.keys("*"))]

    # -- what goes wrong -------------------------------------------------------

    def processes(self, word: str) -> list[psutil.Process]:
        """The hub's processes whose command line this pattern is found in."""
        found = []
        for one in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if re.search(word, " ".join(one.cmdline())):
                    found.append(one)
        return found

    def kill(self, word: str) -> int:
        """kill -9; how many."""
        victims = self.processes(word)
        for one in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return len(victims)

    def flush(self) -> None:
        """Let Valkey forget everything."""
        patience = {"socket_timeout": 2, "socket_connect_timeout": 1}
        with Redis.from_url(self.settings.redis_url, **patience) as client:
            client.flushall()


@contextlib.contextmanager
def open_field(
    kind: type[World],
    folder: Path,
    environ: Mapping[str, str],
    given: Mapping[str, str] | None = None,
) -> Iterator[World]:
    """Start a hub with `onecount up`, channels and goods; raise NotStarted.

    Of `environ` nothing that configures a hub is kept; `given` are variables that do.
    """
    own = _environ(folder, environ, given or {})
    settings = Settings.from_env(own)
    engine = open_engine(settings.database_url)
    channels = equipment.sandboxes(settings, folder)
    try:
        for one in channels.values():
            one.start()
        with started(own, settings, folder / "up.log") as process:
            for one in channels.values():
                one.wait()
            world = kind(settings, own, process, engine, channels)
            _furnish(world, folder)
            yield world
    finally:
        for one in channels.values():
            one.stop()
        engine.dispose()


def _environ(
    folder: Path, environ: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """Short times: nobody wants to watch a channel being held for minutes."""
    kept = {k: v for k, v in environ.items() if not k.startswith("ONECOUNT_")}
    return {
        **kept,
        "ONECOUNT_DATA_DIR": str(folder),
        "ONECOUNT_PORT": str(free_port()),
        "ONECOUNT_SECRET_KEY": "a secret key for the journey",
        "ONECOUNT_PUSH_DEADLINE_SECONDS": "8",
        "ONECOUNT_LEASE_SECONDS": "20",
        "ONECOUNT_RETRY_CAP_SECONDS": "8",
        # Whoever edits numbers here never stops.
        "ONECOUNT_HEALS_A_DAY": "1000",
        "ONECOUNT_CIRCUIT_HOLD_SECONDS": "3",
        "ONECOUNT_CIRCUIT_CAP_SECONDS": "6",
        "ONECOUNT_POLL_SECONDS": "20",
        "ONECOUNT_COMPARE_HOURS": "0.01",
        **given,
    }


def _furnish(world: Field, folder: Path) -> None:
    """Load the channels, SKUs and listings with the owner's own commands."""
    for name, content in equipment.files(world.address, world.channels).items():
        (folder / name).write_text(content)
    world.onecount("load", str(folder / "hub.toml"))
    world.onecount("import", "skus", str(folder / "skus.csv"))
    world.onecount("import", "listings", str(folder / "listings.csv"))
    with writing(world.engine) as connection:
        world.token = people.create_token(connection, "journey", people.OPERATOR)


def _check(answer: requests.Response, expected: int) -> None:
    if answer.status_code != expected:
        raise Unexpected(f"{answer.status_code}: {answer.text}")
