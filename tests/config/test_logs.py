"""Log lines: one JSON object each, whoever wrote them."""

import json
import subprocess
import sys

from app.procfile import ROOT

SCRIPT = """
import logging, os, structlog
from config.logs import configure
from config.settings import Settings

configure(Settings.from_env(os.environ))
structlog.get_logger("app.pipeline").info("pushed", channel="web", sku="JACKET")
logging.getLogger("some.library").warning("slow %s", "answer")
logging.getLogger("rq.worker").info("chatter")
structlog.contextvars.bind_contextvars(message_id=7)
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("workers").exception("job failed")
"""


def lines(tmp_path, **given: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={"ONECOUNT_DATA_DIR": str(tmp_path), **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_every_line_is_one_json_object_with_facts_as_fields(tmp_path) -> None:
    ours, theirs, failed = map(json.loads, lines(tmp_path))

    assert (ours["event"], ours["channel"], ours["sku"]) == ("pushed", "web", "JACKET")
    assert ours["level"] == "info"
    assert ours["logger"] == "app.pipeline"
    assert ours["timestamp"].endswith("Z")
    assert theirs["event"] == "slow answer"
    assert failed["message_id"] == 7
    assert "ZeroDivisionError" in failed["exception"]


def test_the_level_can_be_raised(tmp_path) -> None:
    (failed,) = map(json.loads, lines(tmp_path, ONECOUNT_LOG_LEVEL="error"))

    assert failed["event"] == "job failed"


def test_the_console_format_is_for_eyes(tmp_path) -> None:
    text = "\n".join(lines(tmp_path, ONECOUNT_LOG_FORMAT="console"))

    assert "pushed" in text
    assert "{" not in text.splitlines()[0]
