"""One log format for every process: constant text, facts as fields, never a secret.

On a terminal it is made for eyes, elsewhere one JSON object per line.
"""

import logging
import sys
from typing import Any, TextIO

import structlog

from config.settings import Settings

_QUIET = {
    "circus": logging.WARNING,
    "rq.worker": logging.WARNING,
    "rq.scheduler": logging.WARNING,
    "urllib3": logging.WARNING,
    "alembic": logging.WARNING,
}
"""Libraries that tell of every step: only their warnings are worth a line."""


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Looks the stream up at every line, for whoever exchanges it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def configure(settings: Settings) -> None:
    """Set structlog and the standard library's logging up, once per process."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _ToStandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.log_format),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _renderers(log_format: str) -> list[Any]:
    is_console = log_format == "console" or (
        log_format == "auto" and sys.stderr.isatty()
    )
    if is_console:
        # Plain: the rich one prints the local variables of every frame, bodies and
        # secrets among them.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(sort_keys=False),
    ]
