"""Waking workers: the only module that puts jobs on RQ.

A job carries no facts, only "there is work for X". One flag per lane makes the first
request after a quiet moment enqueue the lane's one drain job and all others nothing;
while a drain is alive it is nudged instead. The flag is set before and cleared before
reading, so a change is never missed; losing Redis only costs the time to the next sweep.
"""

import contextlib
from collections.abc import Iterator, Sequence

import redis
import rq
from rq.serializers import JSONSerializer

INBOUND = "inbound"
OUTBOUND = "outbound"
SLOW = "slow"
QUEUES = (INBOUND, OUTBOUND, SLOW)

JOBS = {
    "inbound": "workers.inbound.drain",
    "outbound": "workers.outbound.drain",
    "fetch": "workers.outbound.fetch",
    "compare": "workers.outbound.compare",
}
"""The first word of a lane → the job that drains it."""

FLAG_SECONDS = 60
ALIVE_SECONDS = 15
JOB_SECONDS = 120
CROWDED = 200

# One round trip for many lanes, of three keys each. Returns the place of each lane's
# first key that nobody drains: a job must be enqueued.
_WAKE = """
local idle = {}
for i = 1, #KEYS, 3 do
  if redis.call('SET', KEYS[i], '1', 'NX', 'EX', ARGV[1]) then
    if redis.call('EXISTS', KEYS[i + 1]) == 1 then
      redis.call('LPUSH', KEYS[i + 2], '1')
      redis.call('EXPIRE', KEYS[i + 2], ARGV[1])
    else
      table.insert(idle, (i - 1) / 3)
    end
  end
end
return idle
"""


class Wakes:
    """Wakes lanes. Never raises when Redis is down: the sweep finds the work."""

    def __init__(self, redis_url: str, patience: float = 5) -> None:
        """`patience`: seconds that Redis may take to answer."""
        self.redis = redis.Redis.from_url(
            redis_url, socket_timeout=patience, socket_connect_timeout=1
        )
        self._script = self.redis.register_script(_WAKE)
        self._queues = {
            name: rq.Queue(name, connection=self.redis, serializer=JSONSerializer)
            for name in QUEUES
        }

    def wake(self, lane: str, *, slow: bool = False, force: bool = False) -> bool:
        """Say that a lane has work: `inbound`, `outbound:<key>` or `fetch:<key>`.

        `force` does not trust a flag that is already set: its drain may have died.
        False when Redis could not be reached.
        """
        try:
            if force and not self.redis.exists(f"alive:{lane}"):
                self.redis.delete(f"wake:{lane}")
            self._wake([lane], slow)
        except redis.RedisError:
            return False
        return True

    def wake_all(self, lanes: Sequence[str]) -> None:
        """Say that each of these lanes has work."""
        with contextlib.suppress(redis.RedisError):
            self._wake(lanes, slow=False)

    def _wake(self, lanes: Sequence[str], slow: bool) -> None:
        flags = ("wake", "alive", "nudge")
        keys = [f"{flag}:{lane}" for lane in lanes for flag in flags]
        for number in self._script(keys=keys, args=[FLAG_SECONDS]):
            self._enqueue(lanes[number], slow)

    def move(self, lane: str) -> None:
        """Let the slow queue's worker serve a lane; its flag stays as it is."""
        with contextlib.suppress(redis.RedisError):
            self._enqueue(lane, slow=True)

    def _enqueue(self, lane: str, slow: bool) -> None:
        kind, _, key = lane.partition(":")
        name = INBOUND if kind == "inbound" else SLOW if slow else OUTBOUND
        queue = self._queues[name]
        if queue.count >= CROWDED:
            # Nobody works: more jobs would say nothing new. The sweep comes again.
            return
        queue.enqueue(
            JOBS[kind],
            *([key] if key else []),
            job_timeout=JOB_SECONDS,
            result_ttl=0,
            failure_ttl=3600,
        )

    def ping(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self.redis.ping())
        except redis.RedisError:
            return False

    def forget(self, lane: str) -> None:
        """Clear the flag: called before the lane's work is read."""
        with contextlib.suppress(redis.RedisError):
            self.redis.delete(f"wake:{lane}")

    @contextlib.contextmanager
    def draining(self, lane: str) -> Iterator[None]:
        """Say that this lane is being drained; keep it said with `stay`."""
        try:
            self.stay(lane)
            yield
        finally:
            with contextlib.suppress(redis.RedisError):
                self.redis.delete(f"alive:{lane}", f"nudge:{lane}")

    def died(self, lane: str) -> None:
        """Forget a drain that ended without a word, and what it had been told."""
        with contextlib.suppress(redis.RedisError):
            self.redis.delete(f"wake:{lane}", f"alive:{lane}", f"nudge:{lane}")

    def stay(self, lane: str) -> None:
        """Renew "being drained"."""
        with contextlib.suppress(redis.RedisError):
            self.redis.set(f"alive:{lane}", "1", ex=ALIVE_SECONDS)

    def linger(self, lane: str, seconds: float) -> bool:
        """Wait for more work; True when there is some. False at once without Redis."""
        try:
            return self.redis.brpop([f"nudge:{lane}"], timeout=seconds) is not None
        except redis.RedisError:
            return False

    def flagged(self, lane: str) -> bool:
        """Whether work came since the flag was cleared: the last look of a drain."""
        try:
            return bool(self.redis.exists(f"wake:{lane}"))
        except redis.RedisError:
            return False

    def others_wait(self, slow: bool = False) -> bool:
        """Whether other outbound lanes wait for a worker."""
        try:
            return self._queues[SLOW if slow else OUTBOUND].count > 0
        except redis.RedisError:
            return False
