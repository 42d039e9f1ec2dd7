"""What a deployment sets, and what it is told when it sets something wrong."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.store.people import people
from config import first_login
from config.keys import local_secret_key
from config.settings import ConfigurationError, Settings, socket_path, variables

KEY = "a key of more than sixteen characters"


def settings(folder: Path, **given: object) -> Settings:
    environ = {f"ONECOUNT_{name}": str(value) for name, value in given.items()}
    return Settings.from_env({"ONECOUNT_DATA_DIR": str(folder), **environ})


def refused(folder: Path, **given: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings(folder, **given)
    return str(caught.value)


def test_nothing_has_to_be_set_for_a_local_run(tmp_path: Path) -> None:
    local = settings(tmp_path)

    assert local.database_url == f"sqlite:///{tmp_path}/onecount.db"
    assert local.redis_url == f"unix://{tmp_path}/valkey/valkey.sock"
    assert local.embedded_redis
    assert local.public_url == "http://127.0.0.1:8000"
    assert local.max_body_bytes == 1024 * 1024


def test_a_local_run_keeps_its_secret_key_to_itself(tmp_path: Path) -> None:
    first = settings(tmp_path / "new")
    again = settings(tmp_path / "new")

    assert first.secret_key == again.secret_key
    assert len(first.secret_key) >= 48
    mode = (tmp_path / "new" / "secret_key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_processes_that_start_together_agree_on_the_secret_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(local_secret_key, [tmp_path / "shared"] * 32))

    assert len(keys) == 1
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["secret_key"]


def test_a_database_of_ones_own_needs_a_secret_key(tmp_path: Path) -> None:
    problem = refused(tmp_path, DATABASE_URL="postgresql://hub@db/hub")

    assert "ONECOUNT_SECRET_KEY: is required" in problem
    assert not (tmp_path / "secret_key").exists()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_common_way_to_name_postgresql_works(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://hub:pw@db/hub"

    named = settings(tmp_path, DATABASE_URL=url, SECRET_KEY=KEY)

    assert named.database_url == "postgresql+psycopg://hub:pw@db/hub"


def test_options_of_postgresql_are_kept(tmp_path: Path) -> None:
    url = "postgresql://hub@/hub?host=/run/pg&sslmode=require&application_name=hub"

    named = settings(tmp_path, DATABASE_URL=url, SECRET_KEY=KEY)

    assert named.database_url == url.replace("postgresql", "postgresql+psycopg")


def test_a_sqlite_file_means_the_same_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    named = settings(tmp_path, DATABASE_URL="sqlite:///stock.db", SECRET_KEY=KEY)

    assert named.database_url == f"sqlite:///{tmp_path}/stock.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(tmp_path: Path, url: str) -> None:
    assert "must name a file" in refused(tmp_path, DATABASE_URL=url, SECRET_KEY=KEY)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    problem = refused(
        tmp_path,
        PORT="eighty",
        DATABASE_URL="mysql://hub",
        REDIS_URL="localhost",
        SECRET_KEY="short",
        PUBLIC_URL="hub.example",
        LOG_LEVEL="loud",
        WEB_THREADS="0",
        COOKIE_SECURE="perhaps",
    )

    for name in (
        "PORT",
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "PUBLIC_URL",
        "LOG_LEVEL",
        "WEB_THREADS",
        "COOKIE_SECURE",
    ):
        assert f"ONECOUNT_{name}: " in problem
    assert "mysql" not in problem, "a database's address may hold a password"
    assert "short" not in problem


@pytest.mark.parametrize("password", ["pass#word", "pass/word", "p@ss", "p:ss/1"])
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://hub:{}@db:5432/hub"),
        ("REDIS_URL", "redis://:{}@redis:6379/0"),
    ],
)
def test_a_password_that_shifts_an_address_is_told_how_to_be_written(
    tmp_path: Path, name: str, url: str, password: str
) -> None:
    problem = refused(tmp_path, SECRET_KEY=KEY, **{name: url.format(password)})

    assert f"ONECOUNT_{name}: is no address" in problem
    assert "%40" in problem
    assert "ss" not in problem.replace("address", "").replace("password", "")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PUBLIC_URL", "https://hub.example:https", "must be a web address"),
        ("PUBLIC_URL", "https://[::1", "must be a web address"),
        ("PUBLIC_URL", "https://:8000", "must be a web address"),
        ("PUBLIC_URL", "https://hub.example/?shop=1", "must be a web address"),
        ("HOST", "not a host", "must be an address of this machine"),
        ("HOST", "0.0.0.0:80", "must be an address of this machine"),
        ("REDIS_URL", "redis://cache/onecount", "must end in a database's number"),
        ("REDIS_URL", "redis://cache/-1", "must end in a database's number"),
        ("REDIS_URL", "unix://", "must name a socket's file"),
        ("REDIS_URL", "redis://cache/0?socket_timeout=abc", "has an option 'socket_ti"),
        ("REDIS_URL", "redis://cache/0?timeout=5", "has an option 'timeout'"),
        ("REDIS_URL", "redis://cache/0?protocol=9", "has an option 'protocol'"),
        (
            "REDIS_URL",
            "unix:///r.sock?db=1&user=x",
            "has an option 'user' that is none",
        ),
        ("DATABASE_URL", "postgres://db/hub?schema=a", "has an option 'schema' that"),
        ("ALERTS", "json://one, nonsense", "address 2 names no service"),
        ("ALERTS", "mailto://hub:pass,word@mail.example", "address 2 names no service"),
        ("DATA_DIR", "~nobody-here/var", "there is nobody whose folder ~nobody-here"),
        ("DATABASE_URL", "sqlite:///~nobody-here/x.db", "there is nobody whose folder"),
    ],
)
def test_what_is_no_address_is_told_before_it_is_used(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    problem = refused(tmp_path, **{"SECRET_KEY": KEY, name: value})

    assert f"ONECOUNT_{name}: {told}" in problem
    assert problem.count("ONECOUNT_") == 1


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache",
        "redis://cache/",
        "redis://cache:6379/15",
        "rediss://:pw@cache/0",
        "unix:///run/redis.sock?db=1",
        "rediss://cache?ssl_cert_reqs=none&socket_keepalive=yes&client_name=hub",
    ],
)
def test_every_common_way_to_name_redis_works(tmp_path: Path, url: str) -> None:
    assert settings(tmp_path, REDIS_URL=url).redis_url == url


def test_nothing_stands_after_the_last_comma(tmp_path: Path) -> None:
    """An empty former key would sign logins, an empty address silence all others."""
    given = {"SECRET_KEY_PREVIOUS": "former,", "ALERTS": "json://one, ,"}

    named = settings(tmp_path, SECRET_KEY=KEY, **given)

    assert named.secret_key_previous == ("former",)
    assert named.alerts == ("json://one",)


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")

    named = settings(tmp_path, SECRET_KEY_FILE=tmp_path / "key")

    assert named.secret_key == KEY


def test_a_secret_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    problem = refused(tmp_path, ADMIN_PASSWORD_FILE=tmp_path / "nowhere")

    assert "ONECOUNT_ADMIN_PASSWORD_FILE" in problem


def test_a_lease_must_outlast_a_request(tmp_path: Path) -> None:
    problem = refused(tmp_path, LEASE_SECONDS="29", PUSH_DEADLINE_SECONDS="20")

    assert "ONECOUNT_LEASE_SECONDS: must be at least 10 more" in problem
    assert settings(tmp_path, LEASE_SECONDS="30").lease_seconds == 30


def test_former_keys_still_open(tmp_path: Path) -> None:
    rotated = settings(tmp_path, SECRET_KEY=KEY, SECRET_KEY_PREVIOUS="one, two")

    assert rotated.secret_keys == (KEY, "one", "two")


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    assert settings(tmp_path, PORT=" ", REDIS_URL="").port == 8000


def test_cookies_are_for_https_only_where_the_hub_is_reached_by_it(
    tmp_path: Path,
) -> None:
    assert settings(tmp_path, PUBLIC_URL="https://hub.example").cookie_secure
    assert settings(tmp_path, PUBLIC_URL="HTTPS://hub.example").cookie_secure
    assert not settings(tmp_path).cookie_secure


def test_a_child_process_reads_the_same_settings(tmp_path: Path) -> None:
    parent = settings(
        tmp_path,
        SECRET_KEY_PREVIOUS="one,two",
        ADMIN_EMAIL="anna@shop.example",
        RETRY_BASE_SECONDS="0.25",
        PUBLIC_URL="https://hub.example/",
    )

    child = Settings.from_env(parent.to_env())

    differing = {
        name for name in vars(parent) if vars(parent)[name] != vars(child)[name]
    }
    assert differing == {"embedded_redis"}


def test_no_secret_is_shown_by_accident(tmp_path: Path) -> None:
    shown = repr(
        settings(
            tmp_path,
            SECRET_KEY=KEY,
            SECRET_KEY_PREVIOUS="former key",
            ADMIN_PASSWORD="let me in please",
            DATABASE_URL="postgres://hub:opensesame@db/hub",
            REDIS_URL="redis://:hidden@cache",
        )
    )

    for secret in (KEY, "former key", "let me in", "opensesame", "hidden"):
        assert secret not in shown


def test_a_deep_data_dir_still_gets_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / "var"

    assert len(str(socket_path(deep)).encode()) < 108
    assert socket_path(deep) == socket_path(deep)
    assert socket_path(deep) != socket_path(deep / "other")


def test_every_field_is_a_variable() -> None:
    assert "MAX_BODY_BYTES" in variables()
    assert "EMBEDDED_REDIS" not in variables()


@pytest.mark.parametrize("email", ["anna", "@shop.example", "anna@", "an na@shop.ex"])
def test_the_first_login_is_checked_with_everything_else(
    tmp_path: Path, email: str
) -> None:
    problem = refused(tmp_path, ADMIN_EMAIL=email, ADMIN_PASSWORD="short", PORT="0")

    assert "ONECOUNT_ADMIN_EMAIL: must be an e-mail address" in problem
    assert "ONECOUNT_ADMIN_PASSWORD: needs at least 10 characters" in problem
    assert "ONECOUNT_PORT: must be between" in problem


def test_what_settings_accept_as_a_password_logins_do_too() -> None:
    assert first_login.SHORTEST_PASSWORD == people.SHORTEST_PASSWORD
