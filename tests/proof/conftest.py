"""The whole application on a real database, on a clock that stands still."""

from collections.abc import Iterator

import pytest

from app.factory import create_app
from app.web.hub import EXTENSION
from tests.proof.trade import Trade, hasty, standing_clock


@pytest.fixture
def trade(settings) -> Iterator[Trade]:
    app = create_app(settings)
    hasty(app.extensions[EXTENSION].engine)
    with standing_clock() as clock:
        trade = Trade(app, clock)
        yield trade
        trade.close()
