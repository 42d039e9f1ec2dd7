"""What the tables are made of: the metadata and the kinds of columns."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Text = sa.Text


def id_() -> Column[int]:
    """Our own id."""
    return Column("id", Big, primary_key=True)


def ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    """A reference that the database checks."""
    return Column(name, Big, ForeignKey(f"{target}.id"), nullable=nullable)


def link(name: str, *, nullable: bool = False) -> Column[int]:
    """A reference without a constraint: checking one costs ten microseconds a row on
    the hot path, and what is referred to is never deleted."""
    return Column(name, Big, nullable=nullable)


def text(name: str, default: str = "") -> Column[str]:
    """Text that is never NULL."""
    return Column(name, Text, nullable=False, server_default=default)


def count(name: str, default: int = 0) -> Column[int]:
    """A whole number or an instant that is never NULL."""
    return Column(name, Big, nullable=False, server_default=str(default))
