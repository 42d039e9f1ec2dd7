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

ALL = (SET_QUANTITIES, LEVELS)
