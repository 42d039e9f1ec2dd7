"""Who may do what: every route, every role."""

import pytest

from app.store.engine import writing
from app.store.people import people
from app.store.tables import api_tokens
from app.web.hub import hub

ROLES = (None, "viewer", "operator", "admin")
WRITES = {
    "/adjustments": "operator",
    "/counts": "operator",
    "/receipts": "operator",
    "/returns": "operator",
    "/transfers": "operator",
    "/transfers/x/receive": "operator",
    "/holds": "operator",
    "/holds/x/commit": "operator",
    "/publications/retry": "operator",
    "/channels/x/pause": "operator",
    "/channels/x/resume": "operator",
    "/channels/x/publish": "admin",
    "/channels/x/secrets": "admin",
    "/channels/x/test": "operator",
    "/inbox/dismiss": "operator",
    "/inbox/replay": "operator",
    "/listings": "operator",
    "/inspections": "operator",
    "/incidents/x/resolve": "operator",
    "/incidents/x/snooze": "operator",
    "/runs/x/cancel": "operator",
    "/drifts/x/decide": "operator",
    "/ledger/x/reverse": "operator",
    "/skus/X/aliases": "admin",
    "/skus/X/rename": "admin",
}
READS = (
    "/stock",
    "/stock/X",
    "/stock/X/ledger",
    "/stock/X/explain",
    "/publications",
    "/publications/x/attempts",
    "/inbox",
    "/incidents",
    "/drifts",
    "/inspections",
    "/channels",
    "/runs/x",
    "/skus/X",
    "/transfers",
    "/returns",
)
MATRIX = [
    *(("GET", path, "viewer") for path in READS),
    ("GET", "/audit", "operator"),
    *(("POST", path, role) for path, role in WRITES.items()),
    ("GET", "/channels/x/secrets", "admin"),
    ("DELETE", "/channels/x/secrets/y", "admin"),
    ("DELETE", "/holds/x", "operator"),
    ("PUT", "/skus/X/recipe", "admin"),
]
IDS = {
    "holds": "hold_id",
    "transfers": "transfer_id",
    "incidents": "incident_id",
    "drifts": "drift_id",
    "ledger": "entry_id",
    "channels": "key",
    "publications": "publication_id",
    "runs": "run_id",
}
OPEN = {"api-docs.openapi_json"}

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.mark.parametrize(("method", "path", "needed"), MATRIX)
def test_each_role_may_do_exactly_what_it_should(client, token, method, path, needed):
    for role in ROLES:
        headers = {"Authorization": f"Bearer {token(role)}"} if role else {}
        body = {} if method in ("POST", "PUT") else None

        response = client.open(
            f"/api/v1{path}", method=method, json=body, headers=headers
        )

        if role is None:
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        elif not people.allows(role, needed):
            assert response.status_code == 403
        else:
            assert response.status_code in (200, 202, 404, 422)
        if response.status_code >= 400:
            assert response.content_type == "application/problem+json"


def test_no_route_of_the_api_is_left_out_of_the_matrix(app):
    routes = {
        (method, rule.rule.replace("/api/v1", "", 1))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1") and rule.endpoint not in OPEN
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    written = {
        (
            method,
            path.replace("/X", "/<sku:sku>")
            .replace("/x", f"/<id:{IDS.get(path.split('/')[1])}>")
            .replace("/y", "/<id:fingerprint>"),
        )
        for method, path, _ in MATRIX
    }

    assert routes == written


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer oc_wrong", "oc_wrong"],
)
def test_anything_but_a_known_token_is_401(client, authorization):
    response = client.get("/api/v1/stock", headers={"Authorization": authorization})

    assert response.status_code == 401
    assert "token" in response.json["detail"]


def test_a_revoked_token_is_401(client, engine, token):
    headers = {"Authorization": f"Bearer {token('admin')}"}
    assert client.get("/api/v1/stock", headers=headers).status_code == 200

    with writing(engine) as connection:
        connection.execute(api_tokens.update().values(revoked_at=1))

    assert client.get("/api/v1/stock", headers=headers).status_code == 401


def test_a_dashboard_session_is_no_api_credential(app, client):
    with app.app_context(), writing(hub().engine) as connection:
        people.create_user(connection, "ada@example.org", "a long password", "admin")
    page = client.get("/login").text
    form = page.partition('name="csrf_token"')[2].partition('value="')[2]
    client.post(
        "/login",
        data={
            "email": "ada@example.org",
            "password": "a long password",
            "csrf_token": form.partition('"')[0],
        },
    )
    assert client.get("/").status_code == 200, "the login itself works"

    assert client.get("/api/v1/stock").status_code == 401
    assert client.post("/api/v1/adjustments", json={}).status_code == 401
