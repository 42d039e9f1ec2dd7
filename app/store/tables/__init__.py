"""Every table, grouped as configuration · connecting · receiving · stock · publishing ·
bulk · people · sheets · watching.

Times are microseconds since 1970 UTC (`_at`). Text columns named `targets`, `posted`,
`details`, `document` … hold JSON. Quantities are 64-bit integers.
"""

from app.store.tables.bulk import bulk_rows, bulk_runs
from app.store.tables.columns import metadata
from app.store.tables.configuration import (
    channel_locations,
    channels,
    kit_parts,
    listings,
    locations,
    policies,
    recipes,
    sku_aliases,
    skus,
)
from app.store.tables.connecting import connectings
from app.store.tables.people import (
    api_tokens,
    audit_log,
    idempotency_keys,
    invitations,
    sessions,
    users,
    views,
)
from app.store.tables.publishing import (
    IS_DUE,
    IS_STOPPED,
    adoptions,
    drifts,
    incidents,
    leases,
    publications,
    push_attempt_items,
    push_attempts,
    push_hours,
    push_tallies,
)
from app.store.tables.receiving import inbox, refused, refused_samples
from app.store.tables.sheets import sheets
from app.store.tables.stock import (
    checkpoints,
    hold_lines,
    holds,
    ledger,
    ledger_readers,
    ledger_seals,
    lines,
    return_cases,
    stock_events,
    stock_levels,
    ways,
)
from app.store.tables.watching import alerts, conditions, secret_facts

__all__ = [
    "IS_DUE",
    "IS_STOPPED",
    "adoptions",
    "alerts",
    "api_tokens",
    "audit_log",
    "bulk_rows",
    "bulk_runs",
    "channel_locations",
    "channels",
    "checkpoints",
    "conditions",
    "connectings",
    "drifts",
    "hold_lines",
    "holds",
    "idempotency_keys",
    "inbox",
    "incidents",
    "invitations",
    "kit_parts",
    "leases",
    "ledger",
    "ledger_readers",
    "ledger_seals",
    "lines",
    "listings",
    "locations",
    "metadata",
    "policies",
    "publications",
    "push_attempt_items",
    "push_attempts",
    "push_hours",
    "push_tallies",
    "recipes",
    "refused",
    "refused_samples",
    "return_cases",
    "secret_facts",
    "sessions",
    "sheets",
    "sku_aliases",
    "skus",
    "stock_events",
    "stock_levels",
    "users",
    "views",
    "ways",
]
