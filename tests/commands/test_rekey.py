"""`onecount rekey`: says what was sealed anew, or what is missing to do it."""

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


def test_without_the_former_key_it_says_so(onecount, hub) -> None:
    hub.channel("till")

    said = onecount("rekey", ONECOUNT_SECRET_KEY=NEW)

    assert said.exit_code == 1
    assert "set the former one in ONECOUNT_SECRET_KEY_PREVIOUS" in said.output
