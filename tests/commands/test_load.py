"""`onecount load`: what a file says becomes so, or nothing does."""

import pytest

from app.domain.instants import now
from app.pipeline.configuring.revising import relist
from app.pipeline.house import HouseKeeper
from app.store.configuration import channels
from tests.builders import JACKET, SECRET, sale

SHOP = """
[[location]]
code = "downtown"
name = "Downtown store"

[[location]]
code = "depot"
custodian = "web"

[[channel]]
key = "web"
provider = "shopify"
base_url = "http://127.0.0.1:9101"
settings = { shop = "blue-jacket.myshopify.com" }
secrets = { webhook = ["env:HOOK", "literal"], access_token = "file:token.txt" }
locations = { downtown = 655441491, depot = "9" }
publish = { from = ["downtown"], buffer = 1, cap = 50, share = 100 }
authority = { shipped = "parcels" }
ships_from = "depot"

[[channel]]
key = "parcels"
provider = "shipstation"
secrets = { api_key = "k" }
"""
TILL = """
[[location]]
code = "downtown"

[[channel]]
key = "till"
provider = "standard"
"""
PUSHED = (
    TILL
    + f'''
settings = {{ push_url = "http://127.0.0.1:1/" }}
secrets = {{ webhook = "{SECRET}" }}
'''
)


@pytest.fixture
def loaded(onecount, write):
    """Load a text as a file; return the answer."""
    write("token.txt", "shpat_1\n")

    def load(text: str, **environ: str):
        return onecount("load", write("shop.toml", text), HOOK="hush", **environ)

    return load


def channel(hub, key: str):
    with hub.engine.connect() as connection:
        return channels.find(connection, hub.vault, key)


def test_a_file_makes_locations_and_channels(loaded, hub, ask) -> None:
    answer = loaded(SHOP)

    assert answer.exit_code == 0, answer.output
    web = channel(hub, "web")
    assert web.base_url == "http://127.0.0.1:9101"
    assert web.locations == {"downtown": "655441491", "depot": "9"}
    assert web.secrets == {"webhook": ["hush", "literal"], "access_token": ["shpat_1"]}
    assert ask("SELECT key, publish, authority, ships_from FROM channels") == [
        (
            "web",
            '{"from": ["downtown"], "buffer": 1, "cap": 50, "share": 100}',
            '{"shipped": "parcels"}',
            "depot",
        ),
        ("parcels", None, "{}", None),
    ]
    assert ask("SELECT name, custodian FROM locations WHERE code = 'depot'") == [
        ("depot", "web")
    ]


def test_secrets_are_stored_encrypted(loaded, ask) -> None:
    loaded(SHOP)

    ((stored,),) = ask("SELECT secrets FROM channels WHERE key = 'web'")
    assert "hush" not in stored
    assert "shpat_1" not in stored


def test_loading_the_same_again_changes_nothing(loaded, ask) -> None:
    loaded(SHOP)
    again = loaded(SHOP)

    assert "Unchanged channels: web, parcels" in again.output
    assert ask("SELECT count(*) FROM channel_locations") == [(2,)]


def test_what_a_named_channel_leaves_out_goes_back_to_its_default(loaded, hub) -> None:
    loaded(
        TILL + 'settings = { push_url = "http://127.0.0.1:1/" }\npublish = true\n'
        'secrets = { webhook = "whsec_AAAA" }\nlocations = { downtown = "1" }\n'
    )
    loaded(TILL)

    till = channel(hub, "till")
    assert (till.settings, till.secrets, till.locations) == ({}, {}, {})


def test_a_channel_that_a_file_does_not_name_stays(loaded, hub) -> None:
    loaded(SHOP)
    loaded(TILL)

    assert channel(hub, "web").base_url == "http://127.0.0.1:9101"


def test_everything_wrong_is_told_at_once_and_nothing_is_written(loaded, ask) -> None:
    answer = loaded("""
[[location]]
name = "No code"

[[channel]]
key = "web"
provider = "shopfy"
base_ulr = "http://x"

[[channel]]
key = "till"
provider = "standard"
settings = { push_ulr = "http://127.0.0.1:1/" }
secrets = { webhook = "env:NOBODY_SET_THIS", push = "file:nowhere.txt" }
locations = { downtwon = "1" }
publish = { from = ["attic"], buffer = -1, cap = 1.5, share = 101, shares = 1, stop_at = -2, preorder = true }
authority = { shipped = "wbe" }

[[chanel]]
""")

    assert answer.exit_code == 1
    for words in (
        "location[1]: has no 'code'",
        "channel[1] \"web\": provider: unknown provider 'shopfy'; did you mean 'sho",
        "channel[1] \"web\": unknown key 'base_ulr'; did you mean 'base_url'?",
        "channel[2] \"till\": settings: unknown key 'push_ulr'; did you mean 'push_",
        "the environment variable NOBODY_SET_THIS is not set",
        "nowhere.txt cannot be read",
        "unknown location 'downtwon'",
        "unknown location 'attic'",
        "publish.buffer: -1 is not a whole number from 0 to 2147483647",
        "publish.stop_at: -2 is not a whole number",
        "publish.preorder: True is not a whole number",
        "publish.cap: 1.5 is not a whole number",
        "publish.share: 101 is not a whole number from 0 to 100",
        "unknown key 'shares'; did you mean 'share'?",
        "authority.shipped: unknown channel 'wbe'; did you mean 'web'?",
        "unknown key 'chanel'; did you mean 'channel'?",
    ):
        assert words in answer.output
    assert ask("SELECT count(*) FROM channels") == [(0,)]
    assert ask("SELECT count(*) FROM locations") == [(0,)]


def test_what_copied_orders_are_known_by_is_loaded_and_taken_back(loaded, hub) -> None:
    marks = 'ignore = { tags = ["amazon"], sources = "580111", order_prefix = "AMZ-" }'
    answer = loaded(SHOP.replace('ships_from = "depot"', marks))

    assert answer.exit_code == 0, answer.output
    assert channel(hub, "web").ignore.marks == {
        "tags": ["amazon"],
        "sources": ["580111"],
        "order_prefix": ["AMZ-"],
    }
    assert loaded(SHOP).exit_code == 0
    assert channel(hub, "web").ignore.marks == {}


def test_how_long_orders_wait_for_their_payment_is_loaded(loaded, hub, ask) -> None:
    told = "SELECT orders FROM channels WHERE key = 'web'"
    patient = SHOP.replace('ships_from = "depot"', "orders = { until_paid = 3600 }")
    assert loaded(patient).exit_code == 0
    assert ask(told) == [('{"until_paid": 3600}',)]

    again = loaded(SHOP)

    # Orders may wait still: that they are paid must go on being told.
    assert again.exit_code == 0
    assert ask(told) == [('{"until_paid": 0}',)]
    assert "unchanged" in loaded(SHOP).output.lower()


def test_a_standard_channel_cannot_publish_to_nowhere(loaded, ask) -> None:
    for publish in ("publish = true", 'publish = { from = ["downtown"] }'):
        answer = loaded(TILL + publish)

        assert answer.exit_code != 0
        assert '"till": settings.push_url: is missing' in answer.output
    assert ask("SELECT key FROM channels") == []
    assert loaded(TILL + "publish = false").exit_code == 0


def test_a_setting_that_leads_nowhere_is_an_error(loaded, ask) -> None:
    wrong = loaded(SHOP + 'settings = { channel = "wbe" }\n')
    odd = loaded(SHOP + 'settings = { jwks_url = "keys.example.com/jwks" }\n')

    assert wrong.exit_code == 1
    said = "settings.channel: unknown channel 'wbe'; did you mean 'web'?"
    assert said in wrong.output
    assert odd.exit_code == 1
    assert "settings.jwks_url: jwks_url 'keys.example.com/jwks' is not" in odd.output
    assert ask("SELECT key FROM channels") == []
    assert loaded(SHOP + 'settings = { channel = "web" }\n').exit_code == 0


def test_a_from_that_a_mapping_channel_does_not_map_is_an_error(loaded) -> None:
    text = SHOP.replace('from = ["downtown"]', 'from = ["attic"]')
    answer = loaded('[[location]]\ncode = "attic"\n' + text)

    assert answer.exit_code == 1
    assert "'attic' is not among the channel's locations" in answer.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('shop = "blue-jacket.myshopify.com"', 'shop = "jackets"'), "no shop domain"),
        (('key = "parcels"', 'key = "par cels"'), "the word in /webhooks/<key>"),
        (('key = "parcels"', 'key = "api"'), "'api' is reserved"),
        (('key = "parcels"', 'key = "web"'), "is that of channel[1] already"),
        (('base_url = "http://127.0.0.1:9101"', 'base_url = "x"'), "base_url: 'x'"),
        (('secrets = { api_key = "k" }', "publish = true"), "shows no stock"),
        (('secrets = { api_key = "k" }', ""), "ShipStation needs secrets.api_key"),
        (
            ('ships_from = "depot"', 'ignore = { tag = ["amazon"] }'),
            "ignore: unknown mark of a copied order 'tag'; did you mean 'tags'?",
        ),
        (
            ('secrets = { api_key = "k" }', 'ignore = { tags = ["amazon"] }'),
            "unknown mark of a copied order 'tags'",
        ),
        (
            ('ships_from = "depot"', "orders = { untill_paid = 60 }"),
            "orders: unknown key 'untill_paid'; did you mean 'until_paid'?",
        ),
        (
            ('ships_from = "depot"', "orders = { until_paid = 0 }"),
            "orders.until_paid: is 0 seconds",
        ),
        (
            ('secrets = { api_key = "k" }', "orders = { until_paid = 60 }"),
            "ShipStation does not tell whether an order is paid",
        ),
        (('ships_from = "depot"', 'ignore = { tags = [""] }'), "ignore.tags: is empty"),
        (('ships_from = "depot"', 'ships_from = "cellar"'), "unknown location 'cell"),
        (
            ('shop = "blue-jacket.myshopify.com"', "shop = 2026-10-01"),
            "(2026, 10, 1) is not a text",
        ),
        (
            ('depot = "9"', 'depot = "gid://shopify/Location/9"'),
            "locations.depot: gid://shopify/Location/9 is a gid; write the plain id, 9",
        ),
        (('custodian = "web"', 'custodian = "wms"'), "unknown channel 'wms'"),
        (('[[channel]]\nkey = "parcels"', '[channel]\nkey = "parcels"'), "line"),
    ],
)
def test_what_cannot_be_is_refused(loaded, change, words) -> None:
    answer = loaded(SHOP.replace(*change))

    assert answer.exit_code == 1
    assert words in answer.output


def test_a_syntax_error_names_the_line(loaded) -> None:
    answer = loaded('[[location]]\ncode = "downtown\n')

    assert answer.exit_code == 1
    assert "shop.toml is not loaded" in answer.output
    assert "line 2" in answer.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[location]]\ncode =", "line 2, its end: Invalid value"),
        ('[[location]]\ncode = """downtown\n\n', "line 2, its end: Unterminated"),
        ("x = " + "[" * 5000, "maximum recursion depth"),
        ("x = " + "9" * 5000, "integer string conversion"),
    ],
)
def test_a_file_that_breaks_off_or_goes_too_deep_is_told(loaded, text, words) -> None:
    answer = loaded(text)

    assert answer.exit_code == 1
    assert "shop.toml is not loaded, nothing was changed" in answer.output
    assert words in answer.output


def test_a_file_in_another_encoding_names_the_line(onecount, write) -> None:
    text = '[[location]]\ncode = "café"\n'.encode("latin-1")
    answer = onecount("load", write("shop.toml", text))

    assert answer.exit_code == 1
    assert "line 2: not UTF-8" in answer.output


def test_running_processes_see_a_new_configuration(loaded, hub) -> None:
    loaded(SHOP)
    keeper = HouseKeeper()
    with hub.engine.connect() as connection:
        before = keeper.house(connection)
    loaded(SHOP.replace("buffer = 1", "buffer = 2"))

    with hub.engine.connect() as connection:
        after = keeper.house(connection)
    assert before.channels[before.by_key["web"]].publish["buffer"] == 1
    assert after.channels[after.by_key["web"]].publish["buffer"] == 2


def test_a_channel_that_begins_to_publish_wants_its_numbers(loaded, hub, ask) -> None:
    loaded(PUSHED)
    hub.sku(JACKET)
    hub.listing("till", JACKET, JACKET)
    assert ask("SELECT count(*) FROM publications") == [(0,)]

    loaded(PUSHED + "publish = true\n")

    assert ask(
        "SELECT count(*) FROM publications WHERE wanted_version > accepted_version"
    ) == [(1,)]


def test_another_buffer_is_another_number_to_publish(loaded, hub, ask) -> None:
    loaded(PUSHED + "publish = true\n")
    hub.sku(JACKET)
    hub.listing("till", JACKET, JACKET)
    settle = "UPDATE publications SET accepted_version = wanted_version"
    wanted = "SELECT count(*) FROM publications WHERE wanted_version > accepted_version"
    _run(hub, settle)

    loaded(PUSHED + "publish = true\n")
    assert ask(wanted) == [(0,)]
    loaded(PUSHED + "publish = { buffer = 3 }\n")
    assert ask(wanted) == [(1,)]


def test_a_listing_that_says_otherwise_is_not_published_anew(loaded, hub, ask) -> None:
    loaded(PUSHED + "publish = true\n")
    hub.sku(JACKET, "SHIRT")
    hub.listing("till", JACKET, JACKET)
    hub.listing("till", "SHIRT", "SHIRT")
    told = {"channel": "till", "sku": "SHIRT", "external_id": "SHIRT"}
    relist(hub.engine, told | {"policy": {"buffer": 1}}, now=now())
    _run(hub, "UPDATE publications SET accepted_version = wanted_version")

    loaded(PUSHED + "publish = { buffer = 3 }\n")

    assert ask(
        "SELECT s.sku FROM publications p JOIN skus s ON s.id = p.sku_id "
        "WHERE wanted_version > accepted_version"
    ) == [(JACKET,)]


def test_every_policy_of_a_channel_is_kept_with_its_version(loaded, ask) -> None:
    for publish in ("true", "true", "{ buffer = 3 }", "{ stop_at = 1, preorder = 2 }"):
        loaded(PUSHED + f"publish = {publish}\n")

    assert ask(
        "SELECT version, policy FROM policies p JOIN channels c "
        "ON c.id = p.channel_id WHERE c.key = 'till' ORDER BY p.id"
    ) == [(1, "{}"), (2, '{"buffer": 3}'), (3, '{"stop_at": 1, "preorder": 2}')]


def test_a_refused_delivery_is_tried_again_with_new_settings(loaded, hub, ask) -> None:
    loaded(PUSHED + "publish = true\n")
    hub.sku(JACKET)
    hub.listing("till", JACKET, JACKET)
    _run(hub, f"UPDATE publications SET failed_at = {now()}, error_class = 'GiveUp'")

    loaded(
        TILL + 'publish = true\nsecrets = { webhook = "whsec_AAAA" }\n'
        'settings = { push_url = "http://127.0.0.1:1/" }\n'
    )

    assert ask("SELECT failed_at FROM publications") == [(None,)]


def test_a_sale_that_waited_for_its_location_applies_by_itself(loaded, hub) -> None:
    till = TILL + f'secrets = {{ webhook = "{SECRET}" }}\n'
    loaded(till + 'locations = { downtown = "T1" }\n')
    hub.sku(JACKET)
    hub.tell("till", sale("1", JACKET, 1, at=now(), location="T2"))
    assert hub.messages()[0][0] == "parked"

    uptown = '[[location]]\ncode = "uptown"\n'
    loaded(uptown + till + 'locations = { downtown = "T1", uptown = "T2" }\n')

    assert hub.messages()[0][0] == "applied"
    assert hub.level(JACKET, "uptown") == {"available": -1}


def test_who_changed_a_channel_by_a_file_is_in_the_audit_log(loaded, noted) -> None:
    loaded(SHOP)
    loaded(SHOP.replace("buffer = 1", "buffer = 2").replace("literal", "hush-hush"))
    loaded(SHOP.replace("buffer = 1", "buffer = -1"))

    changed, first = noted()
    places = ["downtown", "depot"]
    told = {"locations": places, "new channels": ["web", "parcels"]}
    assert first == ("command line", "load", "shop.toml", told)
    publish = {"from": ["downtown"], "buffer": 2, "cap": 50, "share": 100}
    web = {"secrets": ["access_token", "webhook"], "publish": publish}
    told = {"locations": places, "changed channels": {"web": web}}
    assert changed[1:] == ("load", "shop.toml", told)


def _run(hub, statement: str) -> None:
    with hub.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_a_channel_stays_with_its_provider(loaded, hub):
    hub.channel("web", publish={})
    answer = loaded(SHOP)

    assert answer.exit_code == 1
    assert (
        'channel[1] "web": provider: web is a channel of standard, and so are its items, '
        "orders and locations; give this one of shopify another key"
    ) in answer.output
    with hub.engine.connect() as connection:
        assert channels.row(connection, "web")["provider"] == "standard"
