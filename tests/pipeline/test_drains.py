"""What a drain leaves behind when its time is over: the rest is somebody's work."""

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa
from rq import Queue
from rq.serializers import JSONSerializer

from app.domain.instants import Instant, now
from app.pipeline.inbound import Inbound
from app.pipeline.publish import Publisher
from app.queues import INBOUND, OUTBOUND
from app.store.engine import writing
from app.store.tables import leases, push_attempts
from tests.builders import JACKET, order, sale
from workers import hands, inbound, outbound
from workers.run import Worker


@pytest.fixture
def mine(web, settings):
    made = hands.make(replace(settings, secret_key="a secret key for tests"))
    yield made
    made.engine.dispose()


def queued(redis, name: str) -> Queue:
    return Queue(name, connection=redis, serializer=JSONSerializer)


def is_leased(engine) -> bool:
    query = sa.select(leases.c.until).where(leases.c.name == "outbound:web")
    with engine.connect() as connection:
        return (connection.execute(query).scalar() or 0) > now()


def stubborn() -> str:
    """A job that takes whatever goes wrong for its message's fault."""
    try:
        time.sleep(30)
    except Exception:  # noqa: BLE001 - as a drain does
        return "buried"
    return "slept"


def test_the_alarm_is_nobodys_fault(redis) -> None:
    queue = queued(redis, "stubborn")
    job = queue.enqueue(stubborn, job_timeout=1)

    worker = Worker([queue], connection=redis, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")

    assert job.is_failed
    assert job.return_value() is None


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_backlog_is_left_to_the_next_job_before_the_alarm(
    mine, web, redis, monkeypatch
) -> None:
    for number in range(9):
        web.receive("web", order(str(number), JACKET, 1, at=now()))
    one_by_one = Inbound(mine.engine, web.vault, 1)
    run = one_by_one.run

    def slowly(at: Instant) -> int:
        time.sleep(0.1)
        return run(at)

    monkeypatch.setattr(one_by_one, "run", slowly)
    monkeypatch.setattr(inbound, "STAY_SECONDS", 0.25)

    inbound.drain(replace(mine, inbound=one_by_one))

    states = [state for state, _ in web.messages()]
    assert 0 < states.count("waiting") < len(states)
    assert queued(redis, INBOUND).count == 1, "somebody goes on at once"


def test_a_lane_is_woken_after_it_was_given_back(mine, redis, monkeypatch) -> None:
    """Who was woken before would find it leased, go away, and nobody would come."""
    monkeypatch.setattr(outbound, "_is_enough", lambda *_: True)
    release, before = mine.publisher.release, []

    def released(key: str) -> None:
        before.append(queued(redis, OUTBOUND).count)
        release(key)

    monkeypatch.setattr(mine.publisher, "release", released)

    outbound.drain("web", mine)

    assert before == [0]
    assert queued(redis, OUTBOUND).count == 1


def test_a_drain_that_failed_gives_the_lane_back(mine, monkeypatch) -> None:
    def fail(_key: str) -> bool:
        assert is_leased(mine.engine)
        raise RuntimeError("our mistake")

    monkeypatch.setattr(mine.publisher, "push_due", fail)

    with pytest.raises(RuntimeError):
        outbound.drain("web", mine)

    assert not is_leased(mine.engine)


def test_whose_lane_was_taken_over_has_nothing_more_to_do(mine, web, channel) -> None:
    other = Publisher(web.engine, web.vault, mine.settings)
    web.tell("till", sale("T-1", JACKET, 1, at=now()))
    assert other.lease("web")

    assert not mine.publisher.push_due("web")

    assert channel.rows == []
    with writing(web.engine) as connection:
        assert connection.execute(sa.select(push_attempts)).all() == []
