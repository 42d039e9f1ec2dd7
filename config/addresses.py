"""Where things are: files and addresses, brought into the one form libraries know.

What is none is complained about here, not where it is first used.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from config.reading import Reader

_DATABASES: Final = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_QUEUES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
}
_SERVICE: Final = re.compile("[a-z0-9]+://.", re.IGNORECASE)


def folder(env: Reader) -> Path:
    """The data dir."""
    return _file(env, "DATA_DIR", env.str("DATA_DIR", "var"))


def database(env: Reader) -> str:
    """The database's address; a SQLite file is the same for processes started in another
    folder. Empty when none is named."""
    url = _url(env, "DATABASE_URL", _DATABASES)
    if url.partition("://")[::2] in (("sqlite", ""), ("sqlite", "/")) or (
        url == "sqlite:///:memory:"
    ):
        env.complain(
            "DATABASE_URL", "must name a file: several processes have to share it"
        )
    kind, separator, path = url.partition("sqlite:///")
    if kind or not separator:
        _check_options(env, url)
        return url
    return f"sqlite:///{_file(env, 'DATABASE_URL', path)}"


def _check_options(env: Reader, url: str) -> None:
    """Complain about what stands behind the `?` and is no option of PostgreSQL's."""
    parts = _parts(url)
    if parts is None or parts.scheme not in _DATABASES or not parts.query:
        return
    import psycopg.conninfo  # SQLite does without, and few addresses need it here

    for option, _ in parse_qsl(parts.query, keep_blank_values=True):
        try:
            psycopg.conninfo.make_conninfo(**{option: ""})
        except psycopg.ProgrammingError:
            words = f"has an option {option!r} that PostgreSQL does not know"
            env.complain("DATABASE_URL", words)


def queue(env: Reader) -> str:
    """The address of Redis. Empty when none is named."""
    url = _url(env, "REDIS_URL", _QUEUES)
    parts = _parts(url)
    if parts is not None and url:
        is_socket, name = parts.scheme == "unix", parts.path.strip("/")
        if is_socket and not name:
            env.complain(
                "REDIS_URL", "must name a socket's file: unix:///run/redis.sock"
            )
        if not is_socket and name and not name.isdecimal():
            # The client library would take database 0 without a word.
            env.complain(
                "REDIS_URL", "must end in a database's number: redis://redis.example/0"
            )
        if parts.scheme in _QUEUES and (option := _refused_option(url, parts.query)):
            env.complain(
                "REDIS_URL", f"has an option {option!r} that is none, or not that value"
            )
    return url


def _refused_option(url: str, options: str) -> str | None:
    """Which of what stands behind the `?` the client library does not take."""
    if not options:
        return None
    import redis  # costs more than all settings together, and few addresses need it

    for option in options.split("&"):
        address = f"{url.partition('?')[0]}?{option}"
        try:
            redis.ConnectionPool.from_url(address).make_connection()
        except (TypeError, ValueError, redis.RedisError):
            return option.partition("=")[0]
    return None


def alerts(env: Reader) -> tuple[str, ...]:
    """Those of whom people hear what is wrong. Whether each is one that apprise knows is
    asked where it is needed anyway: it takes a second to load."""
    urls = env.several("ALERTS")
    for number, url in enumerate(urls, 1):
        if not _SERVICE.match(url):
            env.complain(
                "ALERTS",
                f"address {number} names no service, as slack://… or mailto://… do; "
                "write a comma inside of one as %2C",
            )
    return urls


def public(env: Reader, host: str, port: int) -> str:
    """The address under which people and providers come."""
    named = env.str("PUBLIC_URL", "")
    url: str = named or default_public_url(host, port)
    if _is_web(url):
        return urlsplit(url).geturl().rstrip("/")  # HTTPS:// is https://
    if named:
        env.complain("PUBLIC_URL", "must be a web address such as https://hub.example")
    else:
        env.complain("HOST", "must be an address of this machine, without a port")
    return url


def _is_web(url: str) -> bool:
    parts = _parts(url)
    return (
        parts is not None
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and not parts.query
        and not any(map(str.isspace, url))
    )


def default_public_url(host: str, port: int) -> str:
    """The address of the dashboard as seen from this machine."""
    seen = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    return (
        f"http://[{seen}]:{port}"
        if seen.count(":") > 1 and seen[0] != "["
        else (f"http://{seen}:{port}")
    )


def _url(env: Reader, name: str, schemes: Mapping[str, str]) -> str:
    """Bring a URL's scheme into the one form the libraries know."""
    url: str = env.str(name, "")
    scheme, separator, rest = url.partition("://")
    if url and (not separator or scheme not in schemes):
        accepted = ", ".join(f"{scheme}://…" for scheme in schemes)
        env.complain(name, f"must begin with one of {accepted}")
    elif scheme != "sqlite" and _parts(url) is None:
        env.complain(
            name,
            "is no address: in its password write @ as %40, : as %3A, / as %2F, # as %23",
        )
    return f"{schemes.get(scheme, scheme)}://{rest}" if url else ""


def _parts(url: str) -> SplitResult | None:
    """Its parts; None when they are not where they should be: a password may have shifted
    them."""
    try:
        parts = urlsplit(url)
        is_fine = parts.port != 0 and not parts.fragment and parts.netloc.count("@") < 2
    except ValueError:
        return None
    return parts if is_fine else None


def _file(env: Reader, name: str, path: str) -> Path:
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        env.complain(
            name, f"there is nobody whose folder {path.split('/')[0]} would be"
        )
        return Path(path)
