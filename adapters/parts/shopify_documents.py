"""Every GraphQL document we send to Shopify, as text.

A test validates each of them against the published schema of the Admin API. A document
is charged by the sizes it asks for, and may cost 1,000 points: so an order is asked for
in the size of most orders, and the rest page by page. It is never read in part: that
would cancel the lines it lacks.

https://shopify.dev/docs/api/admin-graphql/2026-10
"""

from adapters.parts import (
    shopify_number_documents as numbers,
    shopify_setup_documents as setup,
)

FIRST_LISTED = 5
"""Fulfillments and refunds read with an order; they are plain lists without pages."""

MOST_LISTED = 100

_LINE = """
fragment Line on LineItem {
  id
  sku
  quantity
  unfulfilledQuantity
  isGiftCard
  variant { id }
}
"""

_FULFILLED = """
fragment Fulfilled on FulfillmentLineItem {
  quantity
  lineItem { id }
}
"""

_REFUNDED = """
fragment Refunded on RefundLineItem {
  quantity
  restockType
  lineItem { id }
  location { id }
}
"""

_ROUTED = """
fragment Routed on FulfillmentOrderLineItem {
  totalQuantity
  remainingQuantity
  lineItem { id }
}
"""

_PAGE = """
fragment Page on PageInfo {
  hasNextPage
  endCursor
}
"""

_FULFILLMENT = """
fragment Shipment on Fulfillment {
  id
  status
  createdAt
  updatedAt
  location { id }
  fulfillmentLineItems(first: 5) {
    nodes { ...Fulfilled }
    pageInfo { ...Page }
  }
}
"""

_REFUND = """
fragment MoneyBack on Refund {
  id
  createdAt
  processedAt
  refundLineItems(first: 5) {
    nodes { ...Refunded }
    pageInfo { ...Page }
  }
}
"""

_ROUTING = """
fragment Routing on FulfillmentOrder {
  id
  status
  createdAt
  updatedAt
  assignedLocation { location { id } }
  lineItems(first: 5) {
    nodes { ...Routed }
    pageInfo { ...Page }
  }
}
"""

_WHOLE_ORDER = (
    """
fragment WholeOrder on Order {
  id
  name
  createdAt
  updatedAt
  cancelledAt
  test
  displayFinancialStatus
  returnStatus
  sourceName
  tags
  retailLocation { id }
  lineItems(first: 20) {
    nodes { ...Line }
    pageInfo { ...Page }
  }
  fulfillments(first: 5) { ...Shipment }
  refunds(first: 5) { ...MoneyBack }
  fulfillmentOrders(first: 5) {
    nodes { ...Routing }
    pageInfo { ...Page }
  }
}
"""
    + _LINE
    + _FULFILLMENT
    + _FULFILLED
    + _REFUND
    + _REFUNDED
    + _ROUTING
    + _ROUTED
    + _PAGE
)

ORDER = "query Order($id: ID!) { order(id: $id) { ...WholeOrder } }" + _WHOLE_ORDER


def _order_of(part: str) -> str:
    return f"""
query OrderOf($id: ID!) {{
  {part}(id: $id) {{ order {{ ...WholeOrder }} }}
}}
{_WHOLE_ORDER}"""


ROUTED_ORDER = _order_of("fulfillmentOrder")
RETURNED_ORDER = _order_of("reverseFulfillmentOrder")

CHANGED_ORDERS = """
query ChangedOrders($query: String!, $after: String) {
  orders(first: 100, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { id updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""

ALL_FULFILLMENTS = (
    """
query AllFulfillments($id: ID!) {
  order(id: $id) { fulfillments(first: 100) { ...Shipment } }
}
"""
    + _FULFILLMENT.replace("first: 5", "first: 2")
    + _FULFILLED
    + _PAGE
)

ALL_REFUNDS = (
    """
query AllRefunds($id: ID!) {
  order(id: $id) { refunds(first: 100) { ...MoneyBack } }
}
"""
    + _REFUND.replace("first: 5", "first: 2")
    + _REFUNDED
    + _PAGE
)

_DISPOSED = """
fragment Disposed on ReverseFulfillmentOrderLineItem {
  totalQuantity
  fulfillmentLineItem { lineItem { id } }
  dispositions {
    id
    type
    quantity
    createdAt
    location { id }
  }
}
"""

_REVERSED = """
fragment Reversed on ReverseFulfillmentOrder {
  id
  lineItems(first: 20) {
    nodes { ...Disposed }
    pageInfo { ...Page }
  }
}
"""

_RETURN = """
fragment SentBack on Return {
  id
  reverseFulfillmentOrders(first: 2) {
    nodes { ...Reversed }
    pageInfo { ...Page }
  }
}
"""

_RETURN_PARTS = _RETURN + _REVERSED + _DISPOSED

RETURNS = (
    """
query Returns($id: ID!) {
  order(id: $id) {
    id
    refunds(first: 100) {
      id
      return { id }
    }
    returns(first: 2) {
      nodes { ...SentBack }
      pageInfo { ...Page }
    }
  }
}
"""
    + _RETURN_PARTS
    + _PAGE
)

LISTS = {"fulfillments": ALL_FULFILLMENTS, "refunds": ALL_REFUNDS}
"""Field of an order → the document that reads the list to its end."""


def _more(kind: str, field: str, rows: str, fragments: str, size: int = 100) -> str:
    return f"""
query More{field[0].upper()}{field[1:]}Of{kind}($id: ID!, $after: String!) {{
  node(id: $id) {{
    ... on {kind} {{
      {field}(first: {size}, after: $after) {{
        nodes {{ ...{rows} }}
        pageInfo {{ ...Page }}
      }}
    }}
  }}
}}
{fragments}{_PAGE}"""


MORE = {
    ("Order", "lineItems"): _more("Order", "lineItems", "Line", _LINE),
    ("Order", "fulfillmentOrders"): _more(
        "Order", "fulfillmentOrders", "Routing", _ROUTING + _ROUTED, 20
    ),
    ("Fulfillment", "fulfillmentLineItems"): _more(
        "Fulfillment", "fulfillmentLineItems", "Fulfilled", _FULFILLED
    ),
    ("Refund", "refundLineItems"): _more(
        "Refund", "refundLineItems", "Refunded", _REFUNDED
    ),
    ("FulfillmentOrder", "lineItems"): _more(
        "FulfillmentOrder", "lineItems", "Routed", _ROUTED
    ),
    ("Order", "returns"): _more("Order", "returns", "SentBack", _RETURN_PARTS, 2),
    ("Return", "reverseFulfillmentOrders"): _more(
        "Return", "reverseFulfillmentOrders", "Reversed", _REVERSED + _DISPOSED, 5
    ),
    ("ReverseFulfillmentOrder", "lineItems"): _more(
        "ReverseFulfillmentOrder", "lineItems", "Disposed", _DISPOSED
    ),
}
"""(Type, field) → the document for the next page of it."""

ALL = (
    *setup.ALL,
    *numbers.ALL,
    ORDER,
    ROUTED_ORDER,
    RETURNED_ORDER,
    CHANGED_ORDERS,
    ALL_FULFILLMENTS,
    ALL_REFUNDS,
    RETURNS,
    *MORE.values(),
)
