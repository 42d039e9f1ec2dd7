"""A whole hub for the journey: real processes, a real Valkey, sandbox channels."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import requests
import sqlalchemy as sa
from redis import Redis
from sqlalchemy.engine import Engine

from adapters.signatures import StandardWebhooks
from app.demo.hub import answers, free_port
from app.demo.sandboxes import Sandbox
from app.domain.instants import HOUR, iso, now
from app.pipeline.audit import differences
from app.procfile import ROOT
from app.store import people
from app.store.engine import open_engine, writing
from config.settings import Settings

PLACE = {"web": "71001", "till": "LDOWNTOWN", "wms": ""}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GOODS = 12

CONFIGURATION = """
[[location]]
code = "downtown"

[[channel]]
key = "web"
provider = "shopify"
base_url = "{web}"
settings = {{ shop = "blue-jacket.myshopify.com" }}
secrets = {{ webhook = "{secret}", access_token = "token" }}
locations = {{ downtown = 71001 }}
publish = true

[[channel]]
key = "till"
provider = "square"
base_url = "{till}"
settings = {{ notification_url = "{hub}/webhooks/till" }}
secrets = {{ webhook = "{secret}", access_token = "token" }}
locations = {{ downtown = "LDOWNTOWN" }}
publish = true

[[channel]]
key = "wms"
provider = "standard"
settings = {{ push_url = "{wms}/stock" }}
secrets = {{ webhook = "{secret}" }}
publish = true
"""


@dataclass
class World:
    """One hub and its channels."""

    settings: Settings
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes]
    engine: Engine
    channels: dict[str, Sandbox]
    token: str = ""
    _goods: Iterator[int] = field(default_factory=lambda: iter(range(GOODS)))
    _turns: Iterator[int] = field(default_factory=count)

    @property
    def address(self) -> str:
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
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stock(self, quantity: int) -> str:
        """A SKU that nobody has touched yet, counted an hour ago; its name."""
        sku = f"JACKET-{next(self._goods)}"
        at = iso(now() - HOUR)
        line = {"sku": sku, "quantity": quantity, "counted_at": at}
        self.post("counts", {"location": "downtown", "lines": [line]}, 201)
        return sku

    def post(self, path: str, body: Mapping[str, Any], expected: int) -> Any:
        answer = requests.post(
            f"{self.address}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        assert answer.status_code == expected, answer.text
        return answer.json()

    def sell(self, key: str, sku: str, quantity: int = 1, **more: Any) -> Any:
        at_once = {"shipped": True} if key == "till" else {}
        return self.channels[key].sell(
            item(key, sku), quantity, place=PLACE[key], **at_once, **more
        )

    def tell(self, body: Mapping[str, Any], name: str | None = None) -> int:
        """Send a webhook of the warehouse's; the answer's status."""
        raw = json.dumps({"occurred_at": iso(now()), **body}).encode()
        name = name or f"msg_{next(self._turns)}"
        headers = StandardWebhooks().sign(raw, SECRET, now(), name)
        answer = requests.post(
            f"{self.address}/webhooks/wms", data=raw, headers=headers, timeout=60
        )
        return answer.status_code

    # -- what is seen ----------------------------------------------------------

    def shows(self, key: str, sku: str) -> int:
        return self.channels[key].shows(item(key, sku), PLACE[key])

    def all_show(self, sku: str, number: int) -> bool:
        return all(self.shows(key, sku) == number for key in PLACE)

    def level(self, sku: str) -> Any:
        answer = requests.get(
            f"{self.address}/api/v1/stock/{sku}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def is_settled(self) -> bool:
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

    def polled(self) -> list[str]:
        """The channels whose next poll is not due yet."""
        query = sa.text(
            "SELECT key FROM channels WHERE poll_due_at > :now ORDER BY key"
        )
        with self.engine.connect() as connection:
            return list(connection.execute(query, {"now": now()}).scalars())

    def waiting(self) -> list[Any]:
        """What is not done yet, to be read when a test fails."""
        statements = (
            "SELECT name, until FROM leases",
            (
                "SELECT topic, lane, state, attempts, error FROM inbox "
                "WHERE state <> 'applied' ORDER BY id DESC LIMIT 20"
            ),
            (
                "SELECT channel_id, wanted_version, accepted_version, unsure, attempts, "
                "next_attempt_at, last_error FROM publications "
                "WHERE wanted_version > accepted_version"
            ),
        )
        with (
            self.engine.connect() as connection,
            Redis.from_url(self.settings.redis_url) as client,
        ):
            rows = [connection.execute(sa.text(one)).all() for one in statements]
            return [now(), *rows, sorted(client.keys("*"))]

    def audit(self) -> list[str]:
        with self.engine.connect() as connection:
            return differences(connection)

    # -- what goes wrong -------------------------------------------------------

    def processes(self, word: str) -> list[psutil.Process]:
        """The hub's processes with this word in their command line."""
        found = []
        for one in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in " ".join(one.cmdline()):
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
        with Redis.from_url(self.settings.redis_url) as client:
            client.flushall()


def item(key: str, sku: str) -> str:
    """What a channel calls a SKU."""
    number = sku.rpartition("-")[2]
    return {"web": f"808{number}", "till": f"V{number}", "wms": sku}[key]


def crowd(actions: list[Callable[[], Any]], size: int = 25) -> list[Any]:
    """Let many people do something at the same time; what each of them got."""
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda action: action(), actions))


def within(seconds: float, question: Callable[[], object]) -> bool:
    """Whether it becomes so in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(requests.ConnectionError):
            if question():
                return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def running(database_url: str | None, folder: Path) -> Iterator[World]:
    """Start a hub with `onecount up`, three channels and twelve SKUs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ONECOUNT_")}
    environ = {
        **kept,
        "ONECOUNT_DATA_DIR": str(folder),
        "ONECOUNT_PORT": str(free_port()),
        "ONECOUNT_SECRET_KEY": "a secret key for the journey",
        "ONECOUNT_PUSH_DEADLINE_SECONDS": "8",
        "ONECOUNT_LEASE_SECONDS": "20",
        "ONECOUNT_RETRY_CAP_SECONDS": "8",
        "ONECOUNT_HEALS_A_DAY": "1000",  # whoever edits numbers here never stops
        "ONECOUNT_CIRCUIT_HOLD_SECONDS": "3",
        "ONECOUNT_CIRCUIT_CAP_SECONDS": "6",
        **({"ONECOUNT_DATABASE_URL": database_url} if database_url else {}),
    }
    settings = Settings.from_env(environ)
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"],
            cwd=ROOT,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    engine = open_engine(settings.database_url)
    channels = sandboxes(settings, folder)
    try:
        for one in channels.values():
            one.start()
        for one in channels.values():
            one.wait()
        ready = f"http://127.0.0.1:{settings.port}/readyz"
        assert within(90, lambda: answers(ready)), (folder / "up.log").read_text()
        world = World(settings, environ, process, engine, channels)
        furnish(world, folder)
        yield world
    finally:
        process.terminate()
        for one in channels.values():
            one.stop()
        process.wait(60)
        engine.dispose()


def sandboxes(settings: Settings, folder: Path) -> dict[str, Sandbox]:
    providers = {"web": "shopify", "till": "square", "wms": "standard"}
    hub = f"http://127.0.0.1:{settings.port}/webhooks"
    skus = [f"JACKET-{number}" for number in range(GOODS)]
    return {
        key: Sandbox(
            provider,
            {
                "key": key,
                "webhook_url": f"{hub}/{key}",
                "secret": SECRET,
                "token": "token",
                "items": [
                    {"id": item(key, s), "sku": s, "parent": f"9{item(key, s)}"}
                    for s in skus
                ],
                "locations": [{"id": PLACE[key], "name": "downtown"}],
                "retry_seconds": [0.5, 1, 2, 4, 8, 16, 32],
                "retry_scale": 0.01,
            },
            folder,
        )
        for key, provider in providers.items()
    }


def furnish(world: World, folder: Path) -> None:
    """Load the channels, SKUs and listings with the owner's own commands."""
    addresses = {key: one.url for key, one in world.channels.items()}
    text = CONFIGURATION.format(hub=world.address, secret=SECRET, **addresses)
    skus = [f"JACKET-{number}" for number in range(GOODS)]
    files = {
        "hub.toml": text,
        "skus.csv": "sku,name,barcode\n" + "".join(f"{s},Jacket,\n" for s in skus),
        "listings.csv": "channel,sku,external_id,external_parent_id\n"
        + "".join(
            f"{key},{s},{item(key, s)},9{item(key, s)}\n" for key in PLACE for s in skus
        ),
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    world.onecount("load", str(folder / "hub.toml"))
    world.onecount("import", "skus", str(folder / "skus.csv"))
    world.onecount("import", "listings", str(folder / "listings.csv"))
    with writing(world.engine) as connection:
        world.token = people.create_token(connection, "journey", people.OPERATOR)
