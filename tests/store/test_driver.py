"""The driver asked directly: errors and lost connections are SQLAlchemy's all the same."""

import pytest
import sqlalchemy as sa

from app.store import driver
from app.store.engine import writing


def test_an_error_is_raised_as_everywhere_and_the_connection_goes_on(engine):
    with pytest.raises(sa.exc.DBAPIError) as failed, writing(engine) as connection:
        driver.fetched(connection, "SELECT a secret FROM nowhere")
    assert not failed.value.connection_invalidated

    with writing(engine) as connection:
        assert list(driver.fetched(connection, "SELECT 1")) == [(1,)]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_after_a_lost_connection_every_one_is_made_anew(engine):
    ours, cut = "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%s)"
    with engine.connect() as one, engine.connect() as other:
        lost = [driver.fetched(each, ours)[0] for each in (one, other)]
    with writing(engine) as connection:
        others = [pid for pid in lost if pid != driver.fetched(connection, ours)[0]]
        for pid in others:
            driver.fetched(connection, cut, pid)
        driver.fetched(connection, ours)
        with engine.connect() as cut_off:
            with pytest.raises(sa.exc.OperationalError) as failed:
                driver.fetched(cut_off, ours)
            assert failed.value.connection_invalidated

    with writing(engine) as connection:
        assert driver.fetched(connection, ours)[0] not in lost
