"""Runs every contract test for every provider found: nothing is registered anywhere.

A test that takes `provider` runs once per adapter module; with `case` once per
recorded webhook, with `pointer` once per webhook that something is fetched for, with
`push` once per recorded push; `publisher` is a provider that publishes, `reader` one
whose numbers can be asked for.
"""

import pytest
import responses

import adapters
from tests.contract.recorded import Provider

_ROWS = {"case": Provider.cases, "pointer": Provider.pointers, "push": Provider.pushes}

_CAPABLE = {"publisher": "publishes", "reader": "reads"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    providers = [Provider(name) for name in adapters.names()]
    for name, fact in _CAPABLE.items():
        if name in metafunc.fixturenames:
            able = [p for p in providers if _can(p, fact)]
            metafunc.parametrize(name, able, ids=[p.name for p in able])
    if "provider" not in metafunc.fixturenames:
        return
    for name, rows_of in _ROWS.items():
        if name in metafunc.fixturenames:
            rows = [
                pytest.param(provider, one, id=f"{provider.name}-{one}")
                for provider in providers
                for one in rows_of(provider)
            ]
            metafunc.parametrize(("provider", name), rows)
            return
    metafunc.parametrize("provider", providers, ids=[p.name for p in providers])


def _can(provider: Provider, fact: str) -> bool:
    try:
        return bool(getattr(provider.adapter_class, fact))
    except Exception:  # noqa: BLE001
        # A module that cannot be loaded fails its own tests, not the collection.
        return True


@pytest.fixture(autouse=True)
def _nothing_leaves_the_house():
    """Any call that no test recorded is refused."""
    with responses.RequestsMock(assert_all_requests_are_fired=False):
        yield
