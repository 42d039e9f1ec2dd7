"""What we send Shopify, against the schema it publishes and the rules it does not."""

import json
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.validation import specified_rules

from adapters.parts import (
    shopify_documents,
    shopify_number_documents,
    shopify_setup_documents,
    shopify_webhooks,
)
from adapters.parts.shopify_quantities import variables
from adapters.sandbox.shopify_schema import SCHEMA as SANDBOX, points
from app.domain.channels import Wish
from tests.adapters.shopify_schema import published_schema

FIXTURES = Path(__file__).parents[1] / "fixtures" / "shopify"
MOST_POINTS = 1000

# https://shopify.dev/docs/api/usage/idempotent-requests
NEED_A_KEY = {
    "inventoryActivate",
    "inventoryAdjustQuantities",
    "inventoryMoveQuantities",
    "inventorySetOnHandQuantities",
    "inventorySetQuantities",
    "inventoryShipmentAddItems",
    "inventoryShipmentCreate",
    "inventoryShipmentCreateInTransit",
    "inventoryShipmentReceive",
    "inventoryTransferCreate",
    "inventoryTransferCreateAsReadyToShip",
    "inventoryTransferDuplicate",
    "inventoryTransferSetItems",
    "locationActivate",
    "locationDeactivate",
    "refundCreate",
}


@pytest.fixture(scope="session")
def schema() -> GraphQLSchema:
    return published_schema()


def named(document: str) -> str:
    return next(
        one.name.value
        for one in parse(document).definitions
        if isinstance(one, OperationDefinitionNode) and one.name
    )


@pytest.mark.parametrize("document", shopify_documents.ALL, ids=named)
def test_a_document_is_valid_and_asks_for_nothing_deprecated(
    schema: GraphQLSchema, document: str
):
    rules = [*specified_rules, NoDeprecatedCustomRule]

    assert validate(schema, parse(document), rules) == []


@pytest.mark.parametrize("document", shopify_documents.ALL, ids=named)
def test_every_write_that_needs_a_key_has_one(document: str):
    assert keyless_writes(parse(document)) == []


@pytest.mark.parametrize("document", shopify_documents.ALL, ids=named)
def test_a_document_costs_less_than_one_query_may(document: str):
    longest = {"ids": [f"gid://shopify/InventoryItem/{n}" for n in range(50)]}

    assert points(parse(document), longest) <= MOST_POINTS


def test_the_checks_find_what_they_are_for(schema: GraphQLSchema):
    document = parse(
        "mutation M($i: InventorySetQuantitiesInput!) {"
        " inventorySetQuantities(input: $i) { userErrors { code } } }"
    )
    old = parse("query { order(id: 1) { physicalLocation { id } } }")

    assert validate(schema, document) == []
    assert keyless_writes(document) == ["inventorySetQuantities"]
    assert validate(schema, old, [NoDeprecatedCustomRule]) != []


def test_every_document_of_the_module_is_checked():
    texts = {
        value
        for module in (
            shopify_documents,
            shopify_number_documents,
            shopify_setup_documents,
        )
        for value in vars(module).values()
        if isinstance(value, str) and value.lstrip().startswith(("query", "mutation"))
    }

    assert texts | set(shopify_documents.MORE.values()) <= set(shopify_documents.ALL)


def test_a_subscription_has_the_types_of_the_schema(schema: GraphQLSchema):
    for topic in (*shopify_webhooks.NEEDED, shopify_webhooks.OF_RETURNS):
        asked = {"uri": "https://stock.example.com/webhooks/web", "format": "JSON"}
        sent = {"topic": shopify_webhooks.enum(topic), "subscription": asked}

        assert coerced(schema, shopify_setup_documents.SUBSCRIBE, sent) == sent


def test_a_written_number_always_names_the_number_it_replaces(schema: GraphQLSchema):
    known, unknown = a_wish(1, expected=0), a_wish(2, expected=None)
    sent = {**variables([known, unknown]), "key": "one"}

    assert coerced(schema, shopify_number_documents.SET_QUANTITIES, sent) == sent
    rows = sent["input"]["quantities"]
    assert [row["changeFromQuantity"] for row in rows] == [0]


def test_the_recorded_pushes_have_the_types_of_the_schema(schema: GraphQLSchema):
    for path in sorted((FIXTURES / "push").glob("*.json")):
        sent = json.loads(path.read_text())["request"]["json"]

        assert coerced(schema, sent["query"], sent["variables"]) == sent["variables"]
        for row in sent["variables"]["input"]["quantities"]:
            assert isinstance(row["changeFromQuantity"], int), path.name


@pytest.mark.parametrize(
    "path",
    sorted(FIXTURES.glob("webhooks/*/exchange.json")),
    ids=lambda p: p.parent.name,
)
def test_a_recorded_reading_has_the_shape_of_the_schema(
    schema: GraphQLSchema, path: Path
):
    for step in json.loads(path.read_text()):
        data = step["json"]["data"]
        document = parse(getattr(shopify_documents, read_by(data)))

        result = execute_sync(schema, document, data, variable_values={"id": "1"})

        assert result.errors is None
        assert result.data == data


def read_by(data: dict[str, Any]) -> str:
    """The document that such data answers."""
    if "fulfillmentOrder" in data:
        return "ROUTED_ORDER"
    if "reverseFulfillmentOrder" in data:
        return "RETURNED_ORDER"
    return "RETURNS" if "returns" in (data["order"] or {}) else "ORDER"


def test_the_sandbox_answers_a_part_of_the_published_schema(schema: GraphQLSchema):
    for name, part in SANDBOX.type_map.items():
        published = schema.type_map[{"Query": "QueryRoot"}.get(name, name)]
        assert type(part) is type(published), name
        values = set(getattr(part, "values", ()))
        assert values <= set(getattr(published, "values", ())), name
        for field_name, field in getattr(part, "fields", {}).items():
            theirs = published.fields[field_name]
            assert str(field.type) == str(theirs.type), f"{name}.{field_name}"
            for argument in getattr(field, "args", {}):
                assert argument in theirs.args, f"{name}.{field_name}({argument})"


def a_wish(publication: int, expected: int | None) -> Wish:
    return Wish(publication, "JACKET", "808950810", None, "1", 3, 7, expected)


def keyless_writes(document: DocumentNode) -> list[str]:
    found = []
    for one in document.definitions:
        if not isinstance(one, OperationDefinitionNode):
            continue
        if one.operation != OperationType.MUTATION:
            continue
        for field in one.selection_set.selections:
            assert isinstance(field, FieldNode)
            keys = {d.name.value for d in field.directives or ()}
            if field.name.value in NEED_A_KEY and "idempotent" not in keys:
                found.append(field.name.value)
    return found


def coerced(schema: GraphQLSchema, document: str, given: dict[str, Any]) -> Any:
    operation = parse(document).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    found = get_variable_values(schema, operation.variable_definitions, given)
    assert not isinstance(found, list), found
    return getattr(found, "coerced", found)
