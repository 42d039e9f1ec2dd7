"""`onecount rekey`: says what was sealed anew, or what is missing to do it."""

from app.store.configuration import channels
from app.store.vault import Vault
from tests.builders import SECRET

FORMER, NEW = "a secret key for tests", "another secret key"


def test_it_says_what_it_did_and_what_is_to_be_done_next(onecount, hub) -> None:
    hub.channel("till")

    both = {"ONECOUNT_SECRET_KEY": NEW, "ONECOUNT_SECRET_KEY_PREVIOUS": FORMER}
    said = onecount("rekey", **both)

    assert said.exit_code == 0, said.output
    assert (
        "Sealed with ONECOUNT_SECRET_KEY: 1 channels, 0 second factors" in said.output
    )
    assert "Take the former keys out of" in said.output


def test_it_is_in_the_audit_log(onecount, hub, noted) -> None:
    hub.channel("till")

    onecount("rekey", ONECOUNT_SECRET_KEY=NEW, ONECOUNT_SECRET_KEY_PREVIOUS=FORMER)

    [(actor, action, subject, told)] = noted()
    assert (actor, action, subject) == ("command line", "rekey", "secret key")
    assert told["channels"] == 1


def test_who_lost_the_key_loads_new_secrets(onecount, hub, noted, tmp_path) -> None:
    hub.channel("till")
    hub.channel("web")
    file = tmp_path / "shop.toml"
    file.write_text(
        '[[channel]]\nkey = "till"\nprovider = "standard"\n'
        f'secrets = {{ webhook = ["{SECRET}"] }}\n'
    )
    lost = {"ONECOUNT_SECRET_KEY": NEW}

    refused = onecount("load", str(file), **lost)
    asked = onecount("rekey", "--forget", **lost)
    said = onecount("rekey", "--forget", "--yes", **lost)
    again = onecount("rekey", "--forget", "--yes", **lost)
    loaded = onecount("load", str(file), **lost)

    assert "ONECOUNT_SECRET_KEY_PREVIOUS" in refused.output
    assert asked.exit_code == 1
    assert "no key opens them: 2 channels, 0 second factors" in said.output
    assert "0 channels" in again.output
    assert "till is still paused (credentials refused)" in loaded.output
    assert noted()[-1][1] == "forget secrets"
    with hub.engine.connect() as connection:
        till = channels.find(connection, Vault([NEW]), "till")
    assert till is not None
    assert till.secrets == {"webhook": [SECRET]}


def test_without_the_former_key_it_says_so(onecount, hub) -> None:
    hub.channel("till")

    said = onecount("rekey", ONECOUNT_SECRET_KEY=NEW)

    assert said.exit_code == 1
    assert "set the former one in ONECOUNT_SECRET_KEY_PREVIOUS" in said.output
