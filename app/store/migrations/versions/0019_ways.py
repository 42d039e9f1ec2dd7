"""Returns are listed; transfers are found with what arrived of them.

Revision ID: 0019
Revises: 0018
"""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

WAYS = "way\n"
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNITS = (
    "advised",
    "received",
    "surplus",
    "unlinked",
    "sellable",
    "to_judge",
    "damaged",
)


def upgrade() -> None:
    """A return is listed once it changes; ways are numbered by what they are of."""
    op.create_table(
        "return_cases",
        sa.Column("id", BIG, sa.Identity(), primary_key=True),
        sa.Column("case_key", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("channel_id", BIG, nullable=True),
        sa.Column("order_number", sa.Text(), nullable=True),
        sa.Column("sku_id", BIG, nullable=False),
        *(sa.Column(units, BIG, server_default="0", nullable=False) for units in UNITS),
        sa.Column("judged_at", BIG, nullable=True),
        sa.Column("began_at", BIG, nullable=False),
        sa.Column("changed_at", BIG, nullable=False),
        sa.UniqueConstraint("case_key", "line"),
    )
    change = sa.text("UPDATE lines SET order_number = :number WHERE id = :id")
    connection = op.get_bind()
    numbers = list(_numbered(connection))
    if numbers:
        connection.execute(change, numbers)


def _numbered(connection: sa.Connection) -> Iterator[dict[str, object]]:
    told = connection.execute(
        sa.text(
            "SELECT id, case_key, targets FROM lines "
            "WHERE case_key LIKE '%/expected/%' OR case_key LIKE '%/transferred/%' "
            "OR case_key LIKE '%/received/%'"
        )
    )
    for row in told:
        kind, _, of = row.case_key.partition("/")[2].partition("/")
        if kind not in ("expected", "transferred", "received"):
            continue
        if kind == "received":
            target = json.loads(row.targets).get("received")
            of = str(target[4] or "").partition("|")[2] if target else ""
        if of:
            yield {"id": row.id, "number": f"{WAYS}{of}"}


def downgrade() -> None:
    """Forget these numbers again."""
    op.drop_table("return_cases")
    like = sa.text("UPDATE lines SET order_number = NULL WHERE order_number LIKE :ways")
    op.get_bind().execute(like, {"ways": f"{WAYS}%"})
