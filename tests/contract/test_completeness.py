"""Every adapter: its folder of recordings, its facts and its row in the table."""

import re
from pathlib import Path

import pytest

import adapters
from app.domain.errors import BadConfiguration
from tests.contract.recorded import ROOT, Provider

_PUSHES = ("accepted", "rate_limited", "rejected", "credentials_refused")
_README = Path(adapters.__file__).parent / "README.md"
_MAIL = re.compile(rb"[\w.+-]+@[\w-]+\.[\w.-]+")


def test_the_fixtures_folder_is_complete(provider: Provider):
    missing = [p for p in ("channel.json", "signature.json") if not provider.has(p)]
    for case in provider.cases():
        files = ["body.json", "headers.json", "events.json"]
        if case in provider.pointers():
            files.append("fetched_events.json")
        names = [f"webhooks/{case}/{file}" for file in files]
        missing += [name for name in names if not provider.has(name)]
    if provider.adapter_class.publishes:
        pushes = [f"push/{name}.json" for name in _PUSHES]
        missing += [name for name in pushes if not provider.has(name)]

    assert missing == [], f"missing in tests/fixtures/{provider.name}/"
    assert provider.cases(), f"no tests/fixtures/{provider.name}/webhooks/<case>/"


def test_the_recordings_show_a_webhook_that_moves_stock_and_one_that_does_not(
    provider: Provider,
):
    results = [
        provider.json(f"webhooks/{case}/{name}")
        for case in provider.cases()
        for name in ("events.json", "fetched_events.json")
        if provider.has(f"webhooks/{case}/{name}")
    ]

    assert any(result.get("events") for result in results)
    assert any(
        result.get("ignored") and not result.get("events") for result in results
    ), "record an ignored topic too"


def test_the_recordings_hold_a_persons_data_to_be_left_out(provider: Provider):
    files = [
        path
        for pattern in ("body.json", "exchange.json")
        for path in provider.folder.glob(f"webhooks/*/{pattern}")
    ]

    assert any(_MAIL.search(path.read_bytes()) for path in files), (
        "put a made-up e-mail address where the provider sends one: without it "
        "nothing proves that it is not kept"
    )


def test_no_folder_is_left_of_a_provider_that_is_gone():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}

    assert folders <= set(adapters.names())


def test_the_adapter_states_its_facts(provider: Provider):
    adapter = provider.adapter_class

    assert adapter.title
    assert adapter.docs.startswith("https://")
    assert adapter.keeps
    assert set(adapter.required_settings) <= set(adapter.settings)
    assert all({**adapter.settings, **adapter.secrets}.values())
    assert 1 <= adapter.batch_limit <= 1000
    assert "webhook" in adapter.secrets or adapter.secrets


def test_the_recorded_channel_passes_its_check(provider: Provider):
    provider.adapter_class.check(provider.channel())


def test_an_unknown_setting_or_secret_is_refused_by_name(provider: Provider):
    adapter = provider.adapter_class
    channel = provider.channel()
    settings = {**channel.settings, "colour": "blue"}
    secrets = {**channel.secrets, "colour": ["blue"]}

    for changes, field in (
        ({"settings": settings}, "settings.colour"),
        ({"secrets": secrets}, "secrets.colour"),
    ):
        with pytest.raises(BadConfiguration) as caught:
            adapter.check(provider.channel(**changes))
        assert caught.value.field == field


def test_every_required_setting_is_required(provider: Provider):
    for name in provider.adapter_class.required_settings:
        settings = dict(provider.channel().settings)
        settings.pop(name, None)

        with pytest.raises(BadConfiguration) as caught:
            provider.adapter_class.check(provider.channel(settings=settings))
        assert caught.value.field == f"settings.{name}"


def test_the_capability_table_has_its_row(provider: Provider):
    row = _row(provider)
    adapter = provider.adapter_class
    told = [cell == "yes" for cell in row[2:]]

    assert row[1] == adapter.title
    assert told == [
        adapter.publishes,
        adapter.reads,
        adapter.compares,
        adapter.stamps,
        provider.pointers() != [],
        adapter.polls,
        adapter.subscribes,
        adapter.connects,
    ]


def _row(provider: Provider) -> list[str]:
    for line in _README.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if cells[0] == f"`{provider.name}`":
            return cells
    pytest.fail(f"adapters/README.md has no row for `{provider.name}`")
