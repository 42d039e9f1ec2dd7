"""A time on the command line: ISO 8601 with its zone, as an instant."""

import click

from app.domain.instants import Instant, parse


class Moment(click.ParamType[Instant]):
    """Accepts 2026-11-23T10:00:00Z; refuses a time without a zone."""

    name = "TIME"

    def convert(
        self,
        value: str | Instant,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Instant:
        """Read it, or say what is wrong."""
        if isinstance(value, int):
            return value
        try:
            return parse(value)
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)
