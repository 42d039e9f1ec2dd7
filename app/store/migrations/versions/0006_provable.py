"""What the names in stock events meant; whole orders; what a seal was made from.

Revision ID: 0006
Revises: 0004
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MEANT = ("sku_id", "location_id", "to_location_id")
SEALED = {"previous": "", "marks": "{}"}
INSERT = """
INSERT INTO stock_events (channel_id, key, kind, target, version, occurred_at,
    recorded_at, verdict, details)
VALUES (:channel_id, :key, 'whole', :target, :version, :at, :version, 'posted', :details)
"""


def upgrade() -> None:
    """Add columns; of what moved stock before, the ledger knows the SKU."""
    for name in MEANT:
        op.add_column("stock_events", sa.Column(name, BIG, nullable=True))
    op.execute(
        "UPDATE stock_events SET sku_id = (SELECT min(ledger.sku_id) FROM ledger "
        "WHERE ledger.event_id = stock_events.id)"
    )
    _keep_whole_orders()
    for name, default in SEALED.items():
        column = sa.Column(name, sa.Text(), nullable=False, server_default=default)
        op.add_column("ledger_seals", column)
    op.execute(
        "UPDATE ledger_seals SET previous = coalesce((SELECT before.hash "
        "FROM ledger_seals AS before "
        "WHERE before.last_id = ledger_seals.first_id - 1), '')"
    )


def _keep_whole_orders() -> None:
    """Which lines an order has was known to its own row only, not to stock events."""
    connection = op.get_bind()
    found = connection.execute(
        sa.text(
            "SELECT case_key, channel_id, order_number, targets "
            "FROM lines WHERE line = ''"
        )
    ).all()
    for case_key, channel_id, number, targets in found:
        told = json.loads(targets).get("whole")
        if told is None:
            continue
        owner, _, order = case_key.split("/", 2)
        units, version, _, at, listed = told
        details = {"order": order, "lines": listed.split("\n") if listed else []}
        name = order.replace("%", "%25").replace(":", "%3A")
        values = {
            "channel_id": channel_id,
            "key": f"{owner}:whole:{name}:",
            "target": units,
            "version": version,
            "at": at,
            "details": json.dumps(
                details | ({"order_number": number} if number else {})
            ),
        }
        connection.execute(sa.text(INSERT), values)


def downgrade() -> None:
    """Take them away again."""
    op.execute("DELETE FROM stock_events WHERE kind = 'whole'")
    with op.batch_alter_table("ledger_seals") as table:
        for name in SEALED:
            table.drop_column(name)
    with op.batch_alter_table("stock_events") as table:
        for name in MEANT:
            table.drop_column(name)
