"""The vault: sealed with the newest key, opened with any that was ever used."""

import pytest

from app.domain.errors import BadConfiguration
from app.store.vault import Vault


@pytest.mark.parametrize("plain", [b"", b"{}", b"\x00\xff", b"a" * 100_000])
def test_what_is_sealed_can_be_opened_and_not_read(plain):
    vault = Vault(["a key"])
    sealed = vault.seal(plain)
    assert vault.open(sealed) == plain
    assert plain == b"" or plain not in sealed


def test_a_sealed_text_is_never_twice_the_same():
    vault = Vault(["a key"])
    assert vault.seal(b"secret") != vault.seal(b"secret")


def test_a_former_key_still_opens_and_only_the_new_one_seals():
    old, rotated, new = Vault(["old"]), Vault(["new", "old"]), Vault(["new"])

    assert rotated.open(old.seal(b"secret")) == b"secret"
    assert new.open(rotated.seal(b"secret")) == b"secret"
    with pytest.raises(BadConfiguration):
        old.open(rotated.seal(b"secret"))


def test_another_key_is_said_in_words_that_help():
    with pytest.raises(BadConfiguration, match="ONECOUNT_SECRET_KEY_PREVIOUS") as said:
        Vault(["another"]).open(Vault(["a key"]).seal(b"secret"))
    assert said.value.field == "ONECOUNT_SECRET_KEY"


def test_a_changed_byte_opens_nothing():
    vault = Vault(["a key"])
    sealed = bytearray(vault.seal(b"secret"))
    sealed[20] ^= 1
    with pytest.raises(BadConfiguration):
        vault.open(bytes(sealed))


def test_json_comes_back_as_it_was():
    vault = Vault(["a key"])
    told = {"webhook": ["whsec_1", "whsec_2"], "größe": None}
    assert vault.open_json(vault.seal_json(told)) == told
    assert vault.open_json("") == {}
