"""The OpenAPI document: valid, complete, and true of what the API does."""

import re

import pytest
import schemathesis
from hypothesis import (
    HealthCheck,
    Phase,
    given,
    settings as hypothesis_settings,
)
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.domain.instants import now
from tests.builders import JACKET

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def test_the_document_is_openapi_3_1_and_names_its_routes(client, app):
    document = client.get("/api/v1/openapi.json").json

    assert document["openapi"].startswith("3.1")
    written = {re.sub(r"{\w+}", "{}", path) for path in document["paths"]}
    routed = {
        re.sub(r"<[^>]+>", "{}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1") and "openapi" not in rule.rule
    }
    assert written == routed


def test_every_operation_says_which_role_it_needs(client):
    document = client.get("/api/v1/openapi.json").json

    for path, item in document["paths"].items():
        for method in {"get", "post", "put", "delete"} & item.keys():
            operation = item[method]
            assert operation["security"] == [{"token": []}], path
            assert operation["x-role"] in ("viewer", "operator", "admin")
            assert operation["summary"]
            headers = [one.get("name") for one in operation.get("parameters", [])]
            assert ("Idempotency-Key" in headers) == (method != "get"), path


def test_the_page_needs_nothing_from_anywhere_else(client):
    page = client.get("/api/docs")

    assert page.status_code == 200
    assert re.findall(r"https?://", page.text) == []
    assert "<script>" not in page.text
    for address in re.findall(r'(?:src|href)="(/api/docs/[^"]+)"', page.text):
        with client.get(address) as file:
            assert file.status_code == 200, address
    assert client.get("/api/docs/index.html").status_code == 404


@pytest.mark.slow
def test_whatever_fits_the_document_is_answered_as_the_document_says(api, app, shop):
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)

    statuses = {}
    for found in schema.get_all_operations():
        # Whatever was told before: units to hold, however many are asked for.
        shop.count(JACKET, "downtown", 10**9, at=now())
        operation = found.ok()
        cases = operation.as_strategy() | known(operation)
        statuses[operation.label] = called(api, cases, times=20)

    for label in WORKING:
        assert min(statuses[label]) in (200, 201), label


@pytest.mark.slow
def test_what_does_not_fit_the_document_breaks_nothing(api, app, shop):
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)

    for found in schema.get_all_operations():
        misfits = found.ok().as_strategy(generation_mode=GenerationMode.NEGATIVE)
        called(api, misfits, times=10)

    assert api.stock(JACKET)["sku"] == JACKET


WORKING = (
    "GET /api/v1/stock",
    "GET /api/v1/stock/{sku}",
    "GET /api/v1/stock/{sku}/ledger",
    "GET /api/v1/stock/{sku}/explain",
    "GET /api/v1/publications",
    "GET /api/v1/inbox",
    "GET /api/v1/incidents",
    "GET /api/v1/channels",
    "POST /api/v1/adjustments",
    "POST /api/v1/counts",
    "POST /api/v1/receipts",
    "POST /api/v1/returns",
    "POST /api/v1/holds",
)


def called(api, cases, times) -> set[int]:
    """Make some calls and check each answer; return the statuses seen."""
    statuses = set()

    @given(case=cases)
    @hypothesis_settings(
        max_examples=times,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answers(case):
        response = case.call(headers={"Authorization": f"Bearer {api.token}"})
        case.validate_response(response, checks=CHECKS)
        statuses.add(response.status_code)

    answers()
    return statuses


def known(operation):
    """The same cases about things that exist."""

    def about_the_shop(case):
        if "sku" in case.path_parameters:
            case.path_parameters["sku"] = JACKET
        if "channel" in (case.query or {}):
            case.query["channel"] = "web"
            case.query.pop("at", None)  # nothing was known yet at most moments
        if isinstance(case.body, dict):
            case.body.pop("closes", None)  # nothing is on the way there
            case.body.pop("occurred_at", None)  # most are none that could be
            if operation.label == "POST /api/v1/receipts":
                case.body.setdefault("lines", [{"sku": JACKET, "quantity": 1}])
            if operation.label == "POST /api/v1/returns":
                case.body.setdefault("location", "downtown")
            name_what_exists(case.body)
        return case

    return operation.as_strategy().map(about_the_shop)


def name_what_exists(body):
    """Put names the shop knows wherever a body, or a line of it, names something."""
    for told in [body, *(body.get("lines") or [])]:
        for name, value in (("sku", JACKET), ("location", "downtown")):
            if isinstance(told, dict) and name in told:
                told[name] = value
