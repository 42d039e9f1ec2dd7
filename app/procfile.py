"""The Procfile: which processes there are, one line each."""

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.settings import ConfigurationError

ROOT = Path(__file__).resolve().parents[1]
"""The project's folder: the Procfile's commands are meant to run from here."""

RELEASE = "release"
"""The line that a platform runs once per release; never a process."""


@dataclass(frozen=True)
class Process:
    """One line of the Procfile."""

    name: str
    argv: tuple[str, ...]


def processes(path: Path = ROOT / "Procfile") -> list[Process]:
    """Read what has to run; raise ConfigurationError when it cannot be read."""
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}): run Onecount from a checkout, "
            "installed with `pip install -e .`"
        ) from error
    return [line for line in _lines(path, text) if line.name != RELEASE]


def _lines(path: Path, text: str) -> Iterator[Process]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, command = line.partition(":")
        argv = shlex.split(command)
        if not separator or not argv:
            raise ConfigurationError(f"{path}, line {number}: expected `name: command`")
        yield Process(name.strip(), tuple(_interpreted(argv)))


def _interpreted(argv: list[str]) -> list[str]:
    """Use the interpreter that runs us, whether its environment is activated or not."""
    if argv[0] in ("python", "python3"):
        return [sys.executable, *argv[1:]]
    script = Path(sys.executable).parent / argv[0]
    return [str(script), *argv[1:]] if script.is_file() else argv
