"""The part of Shopify's Admin schema that the sandbox answers, and what a query costs.

A cut-out of the published 2026-10 schema; a test compares the two. Required only at
run time, and so not shown here either: `@idempotent` and `changeFromQuantity`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    build_schema,
    parse,
    validate,
)

from adapters.sandbox.shopify_levels import LEVELS
from adapters.sandbox.shopify_returns import RETURNS
from adapters.sandbox.shopify_topics import SUBSCRIPTIONS

SDL = (
    """
directive @idempotent(key: String!) on FIELD
scalar DateTime
scalar UnsignedInt64

type Query {
  order(id: ID!): Order
  orders(first: Int, after: String, query: String, sortKey: OrderSortKeys,
         reverse: Boolean): OrderConnection!
  fulfillmentOrder(id: ID!): FulfillmentOrder
  reverseFulfillmentOrder(id: ID!): ReverseFulfillmentOrder
  inventoryItem(id: ID!): InventoryItem
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  shop: Shop!
  currentAppInstallation: AppInstallation!
  location(id: ID): Location
  locations(first: Int, after: String): LocationConnection!
  productVariants(first: Int, after: String): ProductVariantConnection!
  webhookSubscriptions(first: Int, after: String): WebhookSubscriptionConnection!
}
type AppInstallation implements Node { id: ID! accessScopes: [AccessScope!]! }
type AccessScope { handle: String! }
type Mutation {
  inventorySetQuantities(
    input: InventorySetQuantitiesInput!
  ): InventorySetQuantitiesPayload
  webhookSubscriptionCreate(
    topic: WebhookSubscriptionTopic!, webhookSubscription: WebhookSubscriptionInput!
  ): WebhookSubscriptionCreatePayload
  webhookSubscriptionDelete(id: ID!): WebhookSubscriptionDeletePayload
}
interface Node { id: ID! }
enum OrderDisplayFinancialStatus {
  AUTHORIZED EXPIRED PAID PARTIALLY_PAID PARTIALLY_REFUNDED PENDING REFUNDED VOIDED
}
enum OrderSortKeys { CREATED_AT ID PROCESSED_AT UPDATED_AT }
type PageInfo {
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
  endCursor: String
}
type Shop { id: ID! name: String! myshopifyDomain: String! }
type ProductVariant implements Node {
  id: ID! sku: String barcode: String displayName: String! inventoryItem: InventoryItem!
}
type ProductVariantConnection { nodes: [ProductVariant!]! pageInfo: PageInfo! }

type OrderConnection { nodes: [Order!]! edges: [OrderEdge!]! pageInfo: PageInfo! }
type OrderEdge { cursor: String! node: Order! }
type Order implements Node {
  id: ID!
  legacyResourceId: UnsignedInt64!
  name: String!
  createdAt: DateTime!
  updatedAt: DateTime!
  cancelledAt: DateTime
  test: Boolean!
  displayFinancialStatus: OrderDisplayFinancialStatus
  sourceName: String
  tags: [String!]!
  retailLocation: Location
  lineItems(first: Int, after: String): LineItemConnection!
  fulfillments(first: Int): [Fulfillment!]!
  refunds(first: Int): [Refund!]!
  fulfillmentOrders(first: Int, after: String): FulfillmentOrderConnection!
  returnStatus: OrderReturnStatus!
  returns(first: Int, after: String): ReturnConnection!
}
type LineItemConnection {
  nodes: [LineItem!]! edges: [LineItemEdge!]! pageInfo: PageInfo!
}
type LineItemEdge { cursor: String! node: LineItem! }
type LineItem implements Node {
  id: ID!
  name: String!
  sku: String
  quantity: Int!
  currentQuantity: Int!
  unfulfilledQuantity: Int!
  isGiftCard: Boolean!
  variant: ProductVariant
}
enum FulfillmentStatus { CANCELLED ERROR FAILURE OPEN PENDING SUCCESS }
type Fulfillment implements Node {
  id: ID!
  status: FulfillmentStatus!
  createdAt: DateTime!
  updatedAt: DateTime!
  location: Location
  fulfillmentLineItems(first: Int, after: String): FulfillmentLineItemConnection!
}
type FulfillmentLineItemConnection {
  nodes: [FulfillmentLineItem!]! pageInfo: PageInfo!
}
type FulfillmentLineItem implements Node { id: ID! quantity: Int lineItem: LineItem! }
type Refund implements Node {
  id: ID!
  createdAt: DateTime
  processedAt: DateTime!
  updatedAt: DateTime!
  refundLineItems(first: Int, after: String): RefundLineItemConnection!
  return: Return
}
type RefundLineItemConnection { nodes: [RefundLineItem!]! pageInfo: PageInfo! }
enum RefundLineItemRestockType { CANCEL LEGACY_RESTOCK NO_RESTOCK RETURN }
type RefundLineItem {
  id: ID
  quantity: Int!
  restockType: RefundLineItemRestockType!
  lineItem: LineItem!
  location: Location
}
type FulfillmentOrderConnection { nodes: [FulfillmentOrder!]! pageInfo: PageInfo! }
enum FulfillmentOrderStatus {
  CANCELLED CLOSED INCOMPLETE IN_PROGRESS ON_HOLD OPEN SCHEDULED
}
type FulfillmentOrder implements Node {
  id: ID!
  status: FulfillmentOrderStatus!
  createdAt: DateTime!
  updatedAt: DateTime!
  assignedLocation: FulfillmentOrderAssignedLocation!
  lineItems(first: Int, after: String): FulfillmentOrderLineItemConnection!
  order: Order!
}
type FulfillmentOrderAssignedLocation { location: Location name: String! }
type FulfillmentOrderLineItemConnection {
  nodes: [FulfillmentOrderLineItem!]! pageInfo: PageInfo!
}
type FulfillmentOrderLineItem implements Node {
  id: ID!
  totalQuantity: Int!
  remainingQuantity: Int!
  lineItem: LineItem!
}
input InventorySetQuantitiesInput {
  name: String!
  quantities: [InventoryQuantityInput!]!
  reason: String!
  referenceDocumentUri: String
}
input InventoryQuantityInput {
  changeFromQuantity: Int
  inventoryItemId: ID!
  locationId: ID!
  quantity: Int!
}
type InventorySetQuantitiesPayload {
  inventoryAdjustmentGroup: InventoryAdjustmentGroup
  userErrors: [InventorySetQuantitiesUserError!]!
}
type InventoryAdjustmentGroup implements Node {
  id: ID!
  createdAt: DateTime!
  reason: String!
}
type InventorySetQuantitiesUserError {
  code: InventorySetQuantitiesUserErrorCode
  field: [String!]
  message: String!
}
enum InventorySetQuantitiesUserErrorCode {
  CHANGE_FROM_QUANTITY_STALE
  IDEMPOTENCY_CONCURRENT_REQUEST
  IDEMPOTENCY_KEY_PARAMETER_MISMATCH
  IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED
  INVALID_INVENTORY_ITEM
  INVALID_LOCATION
  INVALID_NAME
  INVALID_QUANTITY_TOO_HIGH
  INVALID_QUANTITY_TOO_LOW
  INVALID_REASON
  NON_MUTABLE_INVENTORY_ITEM
  NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR
}
"""
    + LEVELS
    + RETURNS
    + SUBSCRIPTIONS
)

SCHEMA = build_schema(SDL)

MUTATION_POINTS = 10


@lru_cache(maxsize=100)
def checked(text: str) -> tuple[DocumentNode, list[GraphQLError]]:
    """A document and what is wrong with it; an app sends the same few for ever."""
    document = parse(text)
    return document, validate(SCHEMA, document)


def points(document: DocumentNode, variables: Mapping[str, Any]) -> int:
    """What a document costs before it runs: objects, times the sizes asked for."""
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    total = 0
    for one in document.definitions:
        if isinstance(one, OperationDefinitionNode):
            total += _inside(one.selection_set, fragments, variables)
    return MUTATION_POINTS + 3 if has_writes(document) else max(1, total)


def has_writes(document: DocumentNode) -> bool:
    """Whether a document changes anything."""
    return any(
        isinstance(one, OperationDefinitionNode)
        and one.operation == OperationType.MUTATION
        for one in document.definitions
    )


def _inside(
    selections: SelectionSetNode | None,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> int:
    total = 0
    for one in selections.selections if selections else ():
        if isinstance(one, FragmentSpreadNode):
            spread = fragments[one.name.value].selection_set
            total += _inside(spread, fragments, variables)
        elif isinstance(one, InlineFragmentNode):
            total += _inside(one.selection_set, fragments, variables)
        elif isinstance(one, FieldNode) and one.selection_set:
            inside = _inside(one.selection_set, fragments, variables)
            # `nodes` of a connection are counted by the connection.
            own = 0 if one.name.value in ("pageInfo", "edges", "nodes") else 1
            total += _size(one, variables) * (own + inside)
    return total


def _size(field: FieldNode, variables: Mapping[str, Any]) -> int:
    for argument in field.arguments or ():
        value: Any = argument.value
        if isinstance(value, VariableNode):
            value = variables.get(value.name.value)
        if argument.name.value == "first":
            return int(value.value) if isinstance(value, IntValueNode) else int(value)
        if argument.name.value == "ids":
            return max(1, len(getattr(value, "values", value)))
    return 1
