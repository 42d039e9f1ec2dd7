"""After it the former secret key opens nothing that is needed, and the new one all."""

import pytest
import sqlalchemy as sa

from app.domain.errors import BadConfiguration
from app.domain.instants import now
from app.pipeline.repairing import resealing
from app.pipeline.repairing.resealing import SEALED, forget, reseal
from app.store.configuration import channels
from app.store.engine import writing
from app.store.people import factors
from app.store.tables import channels as channels_table, connectings, users
from app.store.vault import Vault
from tests.builders import JACKET, Shop, sale

FORMER, NEW = "a secret key for tests", "another secret key"
ANNA = {
    "email": "anna@blue-jacket.example",
    "password_hash": "-",
    "role": "admin",
    "created_at": 1,
}
BEGUN = {
    "at": 1,
    "actor": "anna",
    "key": "till",
    "provider": "square",
    "state": "found",
}


@pytest.fixture
def sealed(empty_shop) -> Shop:
    """Something of each kind."""
    shop = empty_shop
    shop.channel("till")
    shop.channel("web")
    for number in range(3):
        shop.receive("till", sale(f"T-{number}", JACKET, 1, at=now()))
    with writing(shop.engine) as connection:
        connection.execute(users.insert().values(**ANNA))
        factors.begin(connection, shop.vault, 1)
        asked = shop.vault.seal_json({"provider": "square"})
        connection.execute(connectings.insert().values(**BEGUN, asked=asked))
        connection.execute(connectings.insert().values(**BEGUN))
    return shop


def everything(shop: Shop) -> list[str | bytes]:
    with shop.engine.connect() as connection:
        found = [connection.scalars(sa.select(c)).all() for c in SEALED.values()]
    return [value for column in found for value in column if value]


def test_only_the_new_key_opens_what_is_there(sealed, monkeypatch) -> None:
    monkeypatch.setattr(resealing, "PORTION", 2)

    done = reseal(sealed.engine, Vault([NEW, FORMER]))

    assert list(done.values()) == [2, 1, 1, 3]
    new, found = Vault([NEW]), everything(sealed)
    assert len(found) == 7
    for value in found:
        new.reseal(value)
        with pytest.raises(BadConfiguration):
            sealed.vault.reseal(value)
    with sealed.engine.connect() as connection:
        till = channels.find(connection, new, "till")
        assert till is not None
        assert till.secrets["webhook"]


def test_only_what_no_key_opens_is_forgotten(sealed) -> None:
    with writing(sealed.engine) as connection:
        connection.execute(users.update().values(totp_since=1, recovery='["a"]'))
        mine = Vault([NEW]).seal_json({"webhook": ["new"]})
        web = channels_table.c.key == "web"
        connection.execute(channels_table.update().where(web).values(secrets=mine))

    assert list(forget(sealed.engine, Vault([NEW]), now()).values()) == [1, 1]

    with sealed.engine.connect() as connection:
        till, web = (channels.row(connection, key) for key in ("till", "web"))
        anna = connection.execute(sa.select(users)).one()
    assert (till["secrets"], till["paused_reason"]) == ("", "credentials refused")
    assert (web["secrets"], web["paused_at"]) == (mine, None)
    assert (anna.totp_secret, anna.totp_since, anna.recovery) == (None, None, "[]")


def test_without_the_former_key_nothing_is_lost(sealed) -> None:
    before = everything(sealed)

    with pytest.raises(BadConfiguration, match="ONECOUNT_SECRET_KEY_PREVIOUS"):
        reseal(sealed.engine, Vault([NEW]))

    assert everything(sealed) == before
