"""Deliveries are found by kind of error and HTTP status; the audit log by time.

Revision ID: 0022
Revises: 0021
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Nothing is known of errors that were there before."""
    op.add_column("publications", sa.Column("error_kind", sa.Text(), nullable=True))
    op.add_column("publications", sa.Column("error_status", BIG, nullable=True))
    op.drop_index("ix_audit_log_actor_id", table_name="audit_log")
    op.create_index("ix_audit_log_actor_at_id", "audit_log", ["actor", "at", "id"])
    op.create_index("ix_audit_log_at_id", "audit_log", ["at", "id"])
    _rename_in_views("sku", "product")


def downgrade() -> None:
    """Forget them."""
    _rename_in_views("product", "sku")
    op.drop_index("ix_audit_log_at_id", table_name="audit_log")
    op.drop_index("ix_audit_log_actor_at_id", table_name="audit_log")
    op.create_index("ix_audit_log_actor_id", "audit_log", ["actor", "id"])
    op.drop_column("publications", "error_status")
    op.drop_column("publications", "error_kind")


def _rename_in_views(old: str, new: str) -> None:
    """A part of a product's name is asked for under another name."""
    connection = op.get_bind()
    change = sa.text("UPDATE views SET filters = :filters WHERE id = :id")
    found = connection.execute(sa.text("SELECT id, filters FROM views")).all()
    for row in found:
        kept = json.loads(row.filters)
        if old in kept:
            renamed = {new if name == old else name: one for name, one in kept.items()}
            connection.execute(change, {"id": row.id, "filters": json.dumps(renamed)})
