"""Settings: everything a deployment can set, read from the environment once.

A channel's credentials are not here: they belong to the channel.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from marshmallow import validate

from config import addresses
from config.first_login import first_login
from config.keys import local_secret_key
from config.reading import PREFIX, ConfigurationError, Reader, between

__all__ = ["ConfigurationError", "Settings", "socket_path", "variables"]

LEASE_MARGIN_SECONDS = 10
"""What a lease needs beyond one provider request: to read, write and be noticed."""

SHORTEST_SECRET_KEY = 16

_LONGEST_SOCKET_PATH = 100
"""The kernel refuses a socket's path of 108 bytes and more."""

_SECRETS = frozenset(
    {
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
        "ADMIN_PASSWORD",
        "ALERTS",
    }
)
"""What may also be given as a file, by `NAME_FILE`."""


def _limit(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"between": (low, high)})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One deployment. Tests build it directly."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    """Always an address; the embedded Valkey's when none is given."""
    data_dir: Path
    secret_key: str = field(repr=False)
    secret_key_previous: tuple[str, ...] = field(default=(), repr=False)
    embedded_redis: bool = False
    """Nobody named a Redis: `onecount up` starts one behind `redis_url`."""
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = "http://127.0.0.1:8000"
    admin_email: str | None = None
    admin_password: str | None = field(default=None, repr=False)
    cookie_secure: bool = False
    private_addresses: bool = False
    """The dashboard may connect what is inside the own network."""
    log_level: str = "INFO"
    log_format: str = "auto"
    alerts: tuple[str, ...] = field(default=(), repr=False)
    """Where people are told what is wrong: addresses as apprise writes them."""

    max_body_bytes: int = _limit(1024 * 1024, 1024, 64 * 1024 * 1024)
    apply_batch: int = _limit(100, 1, 1000)
    push_deadline_seconds: float = _limit(20.0, 1, 300)
    lease_seconds: float = _limit(45.0, 5, 3600)
    retry_limit: int = _limit(12, 1, 100)
    retry_base_seconds: float = _limit(2.0, 0.01, 3600)
    retry_cap_seconds: float = _limit(900.0, 0.01, 86_400)
    retry_floor_seconds: float = _limit(5.0, 0, 3600)
    circuit_failures: int = _limit(5, 1, 1000)
    circuit_hold_seconds: float = _limit(30.0, 0.1, 3600)
    circuit_cap_seconds: float = _limit(300.0, 0.1, 86_400)
    sweep_seconds: float = _limit(2.0, 0.1, 60)
    poll_seconds: float = _limit(180.0, 1, 86_400)
    outbound_workers: int = _limit(4, 1, 64)
    web_workers: int = _limit(2, 1, 64)
    web_threads: int = _limit(8, 1, 256)
    proxies: int = _limit(0, 0, 10)
    """How many in front of the web process may be believed who asks."""
    compare_hours: float = _limit(6.0, 0, 720)
    heals_a_day: int = _limit(3, 1, 1_000_000)
    inbox_body_days: int = _limit(7, 1, 365)
    inbox_days: int = _limit(90, 1, 3650)
    refused_samples: int = _limit(100, 0, 10_000)
    alert_after_seconds: float = _limit(300.0, 10, 86_400)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read every `ONECOUNT_…`; raise ConfigurationError naming all that is wrong.

        A local run (no database named) keeps its secret key in the data dir, made at
        the first start; otherwise the key has to be given.
        """
        env = Reader(environ, _SECRETS)
        data_dir = addresses.folder(env)
        values: dict[str, Any] = {
            "data_dir": data_dir,
            **_stores(env, data_dir),
            **_address(env),
            **_logging(env),
            "alerts": addresses.alerts(env),
            **first_login(env),
            **_limits(env),
        }
        _check_lease(env, values)
        env.finish()
        if not values["secret_key"]:
            try:
                values["secret_key"] = local_secret_key(data_dir)
            except OSError as error:
                words = f"{data_dir} cannot be written to: {error.strerror}"
                raise ConfigurationError(f"{PREFIX}DATA_DIR: {words}") from error
        return cls(**values)

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The key that seals, then those that may still open."""
        return (self.secret_key, *self.secret_key_previous)

    def to_env(self) -> dict[str, str]:
        """The variables from which a child process reads these very settings."""
        written = {name: getattr(self, name.lower()) for name in variables()}
        return {
            PREFIX + name: ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in written.items()
            if value not in (None, ())
        }


def variables() -> tuple[str, ...]:
    """The names of all variables, without the prefix."""
    return tuple(
        declared.name.upper()
        for declared in fields(Settings)
        if declared.name != "embedded_redis"
    )


def socket_path(data_dir: Path) -> Path:
    """Where the embedded Valkey listens: in the data dir, unless that is too deep."""
    path = data_dir / "valkey" / "valkey.sock"
    if len(str(path).encode()) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"onecount-{name}" / "valkey.sock"


def _stores(env: Reader, data_dir: Path) -> dict[str, object]:
    database, queue = addresses.database(env), addresses.queue(env)
    return {
        "database_url": database or f"sqlite:///{data_dir / 'onecount.db'}",
        "redis_url": queue or f"unix://{socket_path(data_dir)}",
        "embedded_redis": not queue,
        "secret_key": _secret_key(env, is_local=not database),
        "secret_key_previous": env.several("SECRET_KEY_PREVIOUS"),
    }


def _secret_key(env: Reader, *, is_local: bool) -> str:
    key: Any = env.str("SECRET_KEY", "")
    if key and len(key) < SHORTEST_SECRET_KEY:
        env.complain("SECRET_KEY", f"needs at least {SHORTEST_SECRET_KEY} characters")
    if not key and not is_local:
        env.complain(
            "SECRET_KEY",
            "is required with a database of your own; make one with "
            "`openssl rand -hex 32` and keep it: it opens what is stored encrypted",
        )
    return str(key)


def _address(env: Reader) -> dict[str, object]:
    host = env.str("HOST", "127.0.0.1")
    port = env.int("PORT", 8000, validate=between(1, 65_535))
    public_url = addresses.public(env, host, port or 8000)
    return {
        "host": host,
        "port": port,
        "public_url": public_url,
        "cookie_secure": env.bool("COOKIE_SECURE", public_url.startswith("https:")),
        "private_addresses": env.bool("PRIVATE_ADDRESSES", False),
    }


def _logging(env: Reader) -> dict[str, object]:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    formats = ("auto", "console", "json")
    level = env.str("LOG_LEVEL", "INFO", validate=_one_of(levels, str.upper))
    layout = env.str("LOG_FORMAT", "auto", validate=_one_of(formats, str.lower))
    return {
        "log_level": str(level).upper(),
        "log_format": str(layout).lower(),
    }


def _one_of(words: tuple[str, ...], fold: Any) -> Any:
    check = validate.OneOf(words, error=f"must be one of {', '.join(words)}")
    return lambda value: check(fold(value))


def _limits(env: Reader) -> dict[str, object]:
    return {
        declared.name: _limit_from(env, declared)
        for declared in fields(Settings)
        if "between" in declared.metadata
    }


def _limit_from(env: Reader, declared: Field[Any]) -> object:
    parse: Any = env.int if isinstance(declared.default, int) else env.float
    check = between(*declared.metadata["between"])
    return parse(declared.name.upper(), declared.default, validate=check)


def _check_lease(env: Reader, values: Mapping[str, Any]) -> None:
    lease, deadline = values["lease_seconds"], values["push_deadline_seconds"]
    if None in (lease, deadline):
        return  # complained about already
    if lease < deadline + LEASE_MARGIN_SECONDS:
        env.complain(
            "LEASE_SECONDS",
            f"must be at least {LEASE_MARGIN_SECONDS} more than "
            f"{PREFIX}PUSH_DEADLINE_SECONDS ({deadline:g}): a lease that ends during "
            "a request would let a second worker send",
        )
