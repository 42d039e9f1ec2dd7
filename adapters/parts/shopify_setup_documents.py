"""The GraphQL documents that connecting a shop needs: access, places, webhooks."""

ACCESS = """
query Access {
  shop { myshopifyDomain }
  currentAppInstallation { accessScopes { handle } }
}
"""

PLACES = """
query Places($ids: [ID!]!) {
  nodes(ids: $ids) { ... on Location { id isActive } }
}
"""

LOCATIONS = """
query Locations($after: String) {
  locations(first: 100, after: $after) {
    nodes { id name isActive }
    pageInfo { hasNextPage endCursor }
  }
}
"""

VARIANTS = """
query Variants($after: String) {
  productVariants(first: 200, after: $after) {
    nodes {
      id
      displayName
      barcode
      sku
      inventoryItem { id tracked }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIPTIONS = """
query Subscriptions($after: String) {
  webhookSubscriptions(first: 100, after: $after) {
    nodes { id topic uri format filter includeFields }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIBE = """
mutation Subscribe(
  $topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!
) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""

UNSUBSCRIBE = """
mutation Unsubscribe($id: ID!) {
  webhookSubscriptionDelete(id: $id) {
    deletedWebhookSubscriptionId
    userErrors { field message }
  }
}
"""

ALL = (ACCESS, PLACES, LOCATIONS, VARIANTS, SUBSCRIPTIONS, SUBSCRIBE, UNSUBSCRIBE)
