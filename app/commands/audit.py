"""`onecount audit`: is every stock level the sum of its ledger entries?"""

import sys

import click
import sqlalchemy as sa

from app.pipeline.audit import differences
from app.store.engine import open_engine
from app.store.tables import locations, skus
from config.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Compare every stock level with the ledger; exit 1 when they differ."""
    with open_engine(settings.database_url).connect() as connection:
        found = differences(connection)
        units = connection.execute(sa.select(sa.func.count(skus.c.id))).scalar_one()
        places = connection.execute(
            sa.select(sa.func.count(locations.c.id)).where(
                locations.c.unassigned_of.is_(None)
            )
        ).scalar_one()
    for sentence in found:
        click.echo(sentence, err=True)
    if found:
        click.echo(f"{len(found)} differences.", err=True)
        sys.exit(1)
    click.echo(f"{units} SKUs at {places} locations: right.")
