"""The states a unit can be in, and the movement between two of them.

Units are never created or destroyed, they move between states at a location; what
enters or leaves our border comes from or goes to one of the outside states.
"""

from typing import Final, NamedTuple

from app.domain.instants import Instant

AVAILABLE: Final = "available"
RESERVED: Final = "reserved"
COMMITTED: Final = "committed"
INSPECTION: Final = "inspection"
DAMAGED: Final = "damaged"
INCOMING: Final = "incoming"
SUPPLIER: Final = "supplier"
CUSTOMER: Final = "customer"
VARIANCE: Final = "variance"
SCRAP: Final = "scrap"

ON_HAND: Final = (AVAILABLE, RESERVED, COMMITTED, INSPECTION, DAMAGED)
"""Physically here; their sum is on_hand."""
STATES: Final = (*ON_HAND, INCOMING, SUPPLIER, CUSTOMER, VARIANCE, SCRAP)
"""Every state, inside and outside; over all of them a SKU sums to zero."""


class Movement(NamedTuple):
    """Units of one SKU going from one state and place to another at one time."""

    sku_id: int
    from_state: str
    from_location: int
    to_state: str
    to_location: int
    occurred_at: Instant

    def reversed(self) -> "Movement":
        """The same movement backwards, at the same time."""
        return Movement(
            self.sku_id,
            self.to_state,
            self.to_location,
            self.from_state,
            self.from_location,
            self.occurred_at,
        )
