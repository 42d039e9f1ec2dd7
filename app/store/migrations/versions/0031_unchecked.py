"""What holds hold refers to its rows as the ledger does: unchecked.

A PostgreSQL connection plans a check once. One that began when there were no holds yet
read all of them for each line of a new one.

Revision ID: 0031
Revises: 0030
"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

TARGETS = {"hold": "holds", "sku_id": "skus", "location_id": "locations"}


def upgrade() -> None:
    """Nothing that is referred to is ever deleted."""
    with op.batch_alter_table("hold_lines") as table:
        for column in TARGETS:
            table.drop_constraint(f"fk_hold_lines_{column}", type_="foreignkey")


def downgrade() -> None:
    """Check again."""
    with op.batch_alter_table("hold_lines") as table:
        for column, target in TARGETS.items():
            name = f"fk_hold_lines_{column}"
            table.create_foreign_key(name, target, [column], ["id"])
