"""Imports point inward, one module reads the environment, and modules stay small."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.procfile import ROOT

PACKAGES = ("app", "adapters", "workers", "config")
ENTRANCES = {
    "app/cli.py",
    "app/factory.py",
    "app/store/migrations/env.py",
    "app/supervise.py",
    "config/gunicorn.conf.py",
    "workers/hands.py",
    "workers/run.py",
}
"""Where a process begins, or is begun: these hand the environment to Settings."""

MAY_IMPORT = {
    "app/domain": {"app.domain"},
    "adapters": {
        "adapters",
        "app.domain",
        "cryptography",
        "marshmallow",
        "requests",
        "shopify",
        "standardwebhooks",
        "tenacity",
        "urllib3",
    },
    "adapters/sandbox": {
        "adapters.sandbox",
        "cryptography",
        "flask",
        "graphql",
        "requests",
        "werkzeug",
    },
    "config": {
        "config",
        "environs",
        "gunicorn.glogging",
        "marshmallow",
        "prometheus_client",
        "psycopg",
        "redis",
        "structlog",
    },
    "app/store": {
        "app.domain",
        "app.store",
        "alembic",
        "cryptography",
        "msgspec",  # the JSON of cases: a sixth of what json costs
        "pyotp",
        "psycopg",  # webhooks are stored without SQLAlchemy's part of the cost
        "sqlalchemy",
        "structlog",
        "werkzeug.security",
    },
    "app/store/migrations/env.py": {
        "app.store",
        "alembic",
        "config.settings",
        "sqlalchemy",
    },
    "app/queues.py": {"app.domain", "redis", "rq", "structlog"},
    "app/messenger.py": {"apprise"},
    "app/pipeline": {
        "adapters",
        "app.domain",
        "app.pipeline",
        "app.queues",
        "app.store",
        "msgspec",
        "openpyxl",
        "sqlalchemy",
        "structlog",
    },
    "workers": {
        "adapters",
        "app.domain",
        "app.pipeline",
        "app.queues",
        "app.store",
        "app.messenger",
        "config",
        "prometheus_client",
        "redis",
        "rq",
        "sqlalchemy",
        "structlog",
        "workers",
    },
}
"""Per part, what may be imported beside the standard library; the longest path wins."""

NEVER = {
    "app/web": {"rq", "requests", "psycopg", "workers", "circus"},
    "app/pipeline": {"adapters.sandbox"},
}


def modules() -> list[str]:
    found = (path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in found)


def written_by_hand() -> list[str]:
    """A step of the schema's history is generated, and as long as it needs to be."""
    return [m for m in modules() if not m.startswith("app/store/migrations/versions/")]


def imported_by(module: str) -> Iterator[str]:
    """Every import, including those inside functions."""
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_among(name: str, allowed: set[str]) -> bool:
    return any(name == word or name.startswith(f"{word}.") for word in allowed)


def part_of(module: str, parts: dict[str, set[str]]) -> str | None:
    holding = [part for part in parts if f"{module}/".startswith(f"{part}/")]
    return max(holding, key=len, default=None)


@pytest.mark.parametrize("module", modules())
def test_imports_point_inward(module: str) -> None:
    names = [
        name
        for name in imported_by(module)
        if name.partition(".")[0] not in sys.stdlib_module_names
    ]
    part, shunning = part_of(module, MAY_IMPORT), part_of(module, NEVER)

    outward = [name for name in names if part and not is_among(name, MAY_IMPORT[part])]
    shunned = [name for name in names if shunning and is_among(name, NEVER[shunning])]

    assert outward == [], f"{module} may not import {', '.join(outward)}"
    assert shunned == [], f"{module} may never import {', '.join(shunned)}"


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith("adapters/")])
def test_no_provider_knows_another(module: str) -> None:
    providers = {path.stem for path in (ROOT / "tests" / "fixtures").iterdir()}
    me = Path(module).name.partition("_")[0].removesuffix(".py")

    others = {
        name.split(".")[-1].partition("_")[0]
        for full in imported_by(module)
        for name in [".".join(full.split(".")[:3])]
        if name.startswith("adapters.")
    }

    assert others & (providers - {me}) == set() or me == "__init__"


@pytest.mark.parametrize("module", [m for m in modules() if m not in ENTRANCES])
def test_nobody_else_reads_the_environment(module: str) -> None:
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            assert name not in ("os.environ", "os.getenv"), (
                f"{module}, line {node.lineno}: settings are passed as an argument"
            )
    assert not is_among("os.environ", set(imported_by(module)) - {"os"})


@pytest.mark.parametrize("module", written_by_hand())
def test_modules_stay_small_enough_to_read(module: str) -> None:
    text = (ROOT / module).read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), f"{module} does not say what it is"


@pytest.mark.parametrize("module", written_by_hand())
def test_functions_fit_on_a_screen(module: str) -> None:
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 40, f"{module}: {node.name} has {length} lines"
