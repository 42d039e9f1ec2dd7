"""Runs every contract test for every provider found: nothing is registered anywhere.

A test that takes `provider` runs once per adapter module; with `case` once per
recorded webhook, with `pointer` once per webhook that something is fetched for, with
`push` once per recorded push; `publisher` is a provider that publishes.
"""

import pytest
import responses

import adapters
from tests.contract.recorded import Provider

_ROWS = {"case": Provider.cases, "pointer": Provider.pointers, "push": Provider.pushes}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    providers = [Provider(name) for name in adapters.names()]
    if "publisher" in metafunc.fixturenames:
        providers = [p for p in providers if _publishes(p)]
        metafunc.parametrize("publisher", providers, ids=[p.name for p in providers])
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


def _publishes(provider: Provider) -> bool:
    try:
        return provider.adapter_class.publishes
    except Exception:  # noqa: BLE001
        # A module that cannot be loaded fails its own tests, not the collection.
        return True


@pytest.fixture(autouse=True)
def _nothing_leaves_the_house():
    """Any call that no test recorded is refused."""
    with responses.RequestsMock(assert_all_requests_are_fired=False):
        yield
