"""The secret key of a local run: made once, kept in the data dir, readable to us only.

Several processes may start at once; all of them end up with the same key.
"""

import os
import secrets
from pathlib import Path

NAME = "secret_key"


def local_secret_key(data_dir: Path) -> str:
    """Read the data dir's key, making it the first time."""
    path = data_dir / NAME
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _put(path, secrets.token_urlsafe(48))
    return path.read_text().strip()


def _put(path: Path, key: str) -> None:
    """Write the whole key or nothing, and never over another's."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key is the key
    finally:
        draft.unlink()
