"""Who may do what on the dashboard: every address, every role; and looking changes
nothing."""

import re

import pytest
import sqlalchemy as sa

from app.store.people import people
from app.store.tables import metadata
from tests.builders import JACKET

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

ROLES = ("viewer", "operator", "admin")
OPEN = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/login/code"),
    ("POST", "/logout"),
    ("GET", "/invitation/<token>"),
    ("POST", "/invitation/<token>"),
}
LOOKS = {
    "/": "viewer",
    "/account": "viewer",
    "/account/factor": "viewer",
    "/audit": "operator",
    "/audit.csv": "operator",
    "/change/<kind>": "operator",
    "/channels": "viewer",
    "/channels/<key>": "viewer",
    "/channels/<key>/policy": "viewer",
    "/connect": "admin",
    "/connect/<connecting_id>": "admin",
    "/connect/<provider>": "admin",
    "/counting": "operator",
    "/deliveries": "viewer",
    "/deliveries/<row_id>": "viewer",
    "/deliveries/plan": "operator",
    "/deliveries/tail": "viewer",
    "/deliveries/runs/<run_id>": "viewer",
    "/inbox": "viewer",
    "/incidents": "viewer",
    "/incidents/<incident_id>": "viewer",
    "/inspections": "viewer",
    "/listings/<listing_id>/policy": "viewer",
    "/people": "admin",
    "/sheets": "operator",
    "/sheets/<sheet_id>": "operator",
    "/sheets/export/<what>.<ending>": "viewer",
    "/stock": "viewer",
    "/stock/<sku>": "viewer",
}
DEEDS = {
    "/account/factor": "viewer",
    "/account/factor/confirm": "viewer",
    "/account/factor/off": "viewer",
    "/account/password": "viewer",
    "/account/sessions/<session_id>/end": "viewer",
    "/account/sessions/end": "viewer",
    "/change/<kind>": "operator",
    "/change/<kind>/preview": "operator",
    "/channels/<key>/pause": "operator",
    "/channels/<key>/policy": "admin",
    "/channels/<key>/remove": "admin",
    "/channels/<key>/resume": "operator",
    "/channels/<key>/secrets": "admin",
    "/channels/<key>/secrets/<name>/<mark>/end": "admin",
    "/channels/<key>/stock": "operator",
    "/channels/<key>/test": "operator",
    "/connect/<connecting_id>/again": "admin",
    "/connect/<connecting_id>/agree": "admin",
    "/connect/<connecting_id>/drop": "admin",
    "/connect/<provider>": "admin",
    "/counting": "operator",
    "/counting/lines": "operator",
    "/deliveries/discard": "operator",
    "/deliveries/retry": "operator",
    "/deliveries/runs": "operator",
    "/deliveries/runs/<run_id>/cancel": "operator",
    "/deliveries/show-again": "operator",
    "/deliveries/show-nothing": "operator",
    "/drifts/<drift_id>/decide": "operator",
    "/holds/<hold_id>/release": "operator",
    "/inbox/dismiss": "operator",
    "/inbox/name": "operator",
    "/inbox/not-stock": "operator",
    "/inbox/replay": "operator",
    "/deliveries/views": "viewer",
    "/deliveries/views/<view_id>/delete": "viewer",
    "/incidents/<incident_id>/resolve": "operator",
    "/incidents/<incident_id>/snooze": "operator",
    "/inspections": "operator",
    "/invitations/<invitation_id>/withdraw": "admin",
    "/ledger/<entry_id>/reverse": "operator",
    "/listings/<listing_id>/policy": "operator",
    "/people": "admin",
    "/people/<user_id>/factor/off": "admin",
    "/people/<user_id>/in": "admin",
    "/people/<user_id>/out": "admin",
    "/people/<user_id>/password": "admin",
    "/people/<user_id>/role": "admin",
    "/people/<user_id>/sessions/end": "admin",
    "/sheets": "operator",
    "/sheets/<sheet_id>/apply": "operator",
    "/sheets/<sheet_id>/undo": "operator",
    "/tokens": "admin",
    "/tokens/<token_id>/revoke": "admin",
}
NAMES = {
    "kind": "adjust",
    "key": "web",
    "sku": JACKET,
    "what": "counts",
    "ending": "csv",
    "provider": "shopify",
    "name": "webhook",
    "mark": "00000000",
}


def address(rule: str) -> str:
    return re.sub(r"<(\w+)>", lambda found: NAMES.get(found[1], "1"), rule)


def routes(app) -> set[tuple[str, str]]:
    return {
        (method, re.sub(r"<[^:>]*:", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_no_address_of_the_dashboard_is_left_out(app):
    written = {("GET", rule) for rule in LOOKS} | {("POST", rule) for rule in DEEDS}

    assert routes(app) == written | OPEN


def test_each_role_sees_exactly_what_it_should(person, shop, deliveries):
    for role in ROLES:
        somebody = person(role)
        for rule, needed in LOOKS.items():
            code = somebody.get(address(rule)).status_code
            may = people.allows(role, needed)
            assert code in ((200, 404) if may else (403,)), (role, rule, code)


def test_each_role_may_press_exactly_what_it_should(person, shop):
    for role in ROLES:
        somebody = person(role)
        form = {"csrf_token": somebody.token("/account")}
        for rule, needed in DEEDS.items():
            if rule.startswith("/account"):
                continue  # everybody's own; pressing them would log this one out
            answer = somebody.client.post(address(rule), data=form)
            refused = answer.status_code == 403
            assert refused != people.allows(role, needed), (role, rule)
            assert not refused or f"for the role {needed}." in answer.text, rule


def test_without_a_login_every_address_leads_to_it(person, app):
    nobody = person("viewer", logged_in=False)
    token = nobody.token()

    for method, rule in routes(app) - OPEN:
        form = {"csrf_token": token} if method == "POST" else None
        answer = nobody.client.open(address(rule), method=method, data=form)
        assert answer.status_code in (302, 303), (method, rule)
        assert answer.location.startswith("/login")


def test_nothing_is_pressed_by_a_forged_form(person, shop, engine):
    ada = person("admin")
    before = everything(engine)

    for rule in DEEDS:
        assert ada.client.post(address(rule)).status_code == 400, rule

    assert everything(engine) == before


def test_looking_changes_nothing(person, shop, engine, deliveries):
    ada = person("admin")
    before = everything(engine)

    for rule in LOOKS:
        assert ada.get(address(rule)).status_code in (200, 404), rule
    for rule in DEEDS:
        ada.get(address(rule))

    assert everything(engine) == before


def everything(engine) -> dict[str, list]:
    """Every row there is."""
    with engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(sa.select(table))]
            for name, table in metadata.tables.items()
        }
