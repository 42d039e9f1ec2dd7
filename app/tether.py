"""Run a command that ends when its parent does, however the parent ended.

`python -m app.tether PARENT SIGNAL COMMAND …` asks Linux for that signal at the
parent's death and becomes the command. Elsewhere it only becomes the command.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def tethered(argv: tuple[str, ...], ends_with: signal.Signals) -> list[str]:
    """The command line that runs `argv` tethered to this process."""
    start = [sys.executable, "-m", "app.tether", str(os.getpid()), ends_with.name]
    return [*start, *argv]


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent died, to be able to end them."""
    _ask_kernel(_PR_SET_CHILD_SUBREAPER, 1)


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the command."""
    parent, name, *argv = arguments
    _ask_kernel(_PR_SET_PDEATHSIG, signal.Signals[name])
    if os.getppid() != int(parent):
        return  # it died before we could ask
    os.execvp(argv[0], argv)


def _ask_kernel(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
