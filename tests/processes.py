"""Several real processes at once, for any test; what they report comes back."""

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.queues import Queue
from typing import Any

processes = multiprocessing.get_context("spawn")
HURRY = 600
"""Seconds after which a process that still says nothing hangs."""


def run_all(*calls: tuple[Any, ...]) -> list[Any]:
    """Run each call, a function and its arguments, in its own process.

    Fails with what any of them raised, and when one does not end.
    """
    told = processes.Queue()
    workers = [
        processes.Process(target=_reporting, args=(told, *call)) for call in calls
    ]
    for worker in workers:
        worker.start()
    answers = [told.get(timeout=HURRY) for _ in workers]
    for worker in workers:
        worker.join(HURRY)
        assert worker.exitcode == 0
    for answer in answers:
        assert not isinstance(answer, str), answer
    return answers


def _reporting(told: "Queue[Any]", work: Callable[..., Any], *arguments: Any) -> None:
    try:
        told.put(work(*arguments))
    except Exception:  # noqa: BLE001 - told to the test, in the other process
        told.put(traceback.format_exc())
