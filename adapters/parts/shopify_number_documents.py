"""The GraphQL documents that write a shop's numbers, and read them back."""

SET_QUANTITIES = """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""

LEVELS = """
query Levels($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      tracked
      inventoryLevel(locationId: $location) {
        isActive
        quantities(names: ["available"]) { name quantity }
      }
    }
  }
}
"""

CHANGED_LEVELS = """
query ChangedLevels($location: ID!, $query: String!, $after: String) {
  location(id: $location) {
    inventoryLevels(first: 50, query: $query, after: $after) {
      nodes {
        updatedAt
        item { id tracked }
        quantities(names: ["available"]) { name quantity }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

ALL = (SET_QUANTITIES, LEVELS, CHANGED_LEVELS)
