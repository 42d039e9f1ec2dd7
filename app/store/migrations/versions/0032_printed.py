"""An order is one, with the sign its number is printed with or without.

Revision ID: 0032
Revises: 0031
"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_NAMED = (
    ("lines", "case_key", "line"),
    ("return_cases", "case_key", "line"),
    ("holds", "line_key", "line_key"),
    ("incidents", "subject", "kind"),
)
"""Where orders are named, and what else tells one row from another."""


def upgrade() -> None:
    """Where both were told, what is known of the one with the sign stays apart; the
    audit says so."""
    op.execute(
        "UPDATE lines SET order_number = substr(order_number, 2) "
        "WHERE case_key LIKE '%/order/#_%' AND order_number LIKE '#_%'"
    )
    for table, name, other in _NAMED:
        plain = f"replace({table}.{name}, '/order/#', '/order/')"
        op.execute(
            f"UPDATE {table} SET {name} = {plain} "
            f"WHERE {name} LIKE '%/order/#_%' AND NOT EXISTS (SELECT 1 FROM {table} o "
            f"WHERE o.{name} = {plain} AND ('{name}' = '{other}' "
            f"OR o.{other} = {table}.{other}))"
        )


def downgrade() -> None:
    """They are found by their number without the sign, as others name them."""
