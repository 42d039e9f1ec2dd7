"""Reading a table of a configuration file: each value checked, each problem placed."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from app.domain.errors import BadConfiguration

LARGEST = 2**31 - 1
_LONGEST = 500


class Problems:
    """Everything that is wrong with a file, in the order it was found."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, place: str, words: str) -> None:
        """Note one problem."""
        if (place, words) not in self.found:
            self.found.append((place, words))

    def finish(self) -> None:
        """Raise BadConfiguration, one line per problem, if there is any."""
        if self.found:
            lines = [
                f"{place}: {words}" if place else words for place, words in self.found
            ]
            first = self.found[0][0] or None
            raise BadConfiguration("\n".join(lines), first, self.found)


class Table:
    """One table: what is taken from it is known, what is left over is refused."""

    def __init__(
        self, values: dict[str, Any], at: str, problems: Problems, name: str = ""
    ) -> None:
        self.values = values
        self.at = at
        self.problems = problems
        self.name = name
        self._known: list[str] = []

    @property
    def where(self) -> str:
        """The place of this table, with its name once that is known."""
        return f'{self.at} "{self.name}"' if self.name else self.at

    def place(self, key: str) -> str:
        """The place of one of its values."""
        if not key:
            return self.where
        if not self.where:
            return key
        return f"{self.where}: {key}" if self.name else f"{self.where}.{key}"

    def complain(self, key: str, words: str) -> None:
        """Note a problem with one of its values."""
        self.problems.add(self.place(key), words)

    def has_problem_at(self, key: str) -> bool:
        """Whether a value was complained about already."""
        return any(place == self.place(key) for place, _ in self.problems.found)

    def unknown(
        self, name: str, known: Sequence[str], kind: str, *, at: str = ""
    ) -> None:
        """Complain about a name that is not known; say which was likely meant."""
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        meant = f"did you mean {near[0]!r}?" if near else _choice(known)
        self.complain(at, f"unknown {kind} {name!r}; {meant}")

    def take(self, key: str) -> Any:
        """A value as it is; None when it is not there."""
        self._known.append(key)
        return self.values.get(key)

    def word(self, key: str, *, required: bool = False) -> str | None:
        """A text; a number is taken as one, as ids may be written without quotes."""
        given = self.take(key)
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        if given is None:
            if required:
                self.complain("", f"has no {key!r}; it needs one")
            return None
        problem = text_problem(given)
        if problem:
            self.complain(key, problem)
            return None
        return str(given).strip()

    def id(self, key: str) -> str | None:
        """A text that is an id of the provider's."""
        found = self.word(key)
        if found is not None and (problem := id_problem(found)):
            self.complain(key, problem)
            return None
        return found

    def words(self, key: str) -> list[str] | None:
        """A list of texts; one text alone is a list of one."""
        given = self.take(key)
        if given is None:
            return None
        listed = given if isinstance(given, list) else [given]
        problem = next(filter(None, map(text_problem, listed)), None)
        if problem:
            self.complain(key, problem)
            return None
        return [str(one).strip() for one in listed]

    def one_of(
        self, key: str, known: Sequence[str], kind: str, *, required: bool = False
    ) -> str | None:
        """A text that names something known."""
        found = self.word(key, required=required)
        if found is not None and found not in known:
            self.unknown(found, known, kind, at=key)
            return None
        return found

    def number(self, key: str, highest: int | None = None) -> int | None:
        """A whole number that is not negative."""
        given = self.take(key)
        if given is None:
            return None
        is_whole = isinstance(given, int) and not isinstance(given, bool)
        most = LARGEST if highest is None else highest
        if not is_whole or not 0 <= given <= most:
            self.complain(key, f"{given!r} is not a whole number from 0 to {most}")
            return None
        return int(given)

    def table(self, key: str) -> "Table":
        """A table inside; an empty one when it is not there."""
        given = self.take(key)
        return self.inner(key, {} if given is None else given, "a table")

    def texts(self, key: str) -> dict[str, str]:
        """A table of texts inside."""
        inner = self.table(key)
        return {name: inner.word(name) or "" for name in inner.values}

    def inner(self, key: str, given: object, meant: str) -> "Table":
        """A value as a table, complaining when it is none."""
        if not isinstance(given, dict):
            self.complain(key, f"is not {meant}")
            given = {}
        return Table(given, self.place(key), self.problems)

    def tables(self, key: str) -> list["Table"]:
        """All tables of a `[[key]]`."""
        given = self.take(key)
        if given is None:
            return []
        if not isinstance(given, list) or not all(isinstance(x, dict) for x in given):
            self.complain(key, f"write [[{key}]], with two brackets, once for each")
            return []
        return [
            Table(one, f"{key}[{number}]", self.problems)
            for number, one in enumerate(given, 1)
        ]

    def refuse_others(self) -> None:
        """Complain about every key that nobody asked for."""
        for key in self.values:
            if key not in self._known:
                self.unknown(key, self._known, "key")


def text_problem(given: object) -> str | None:
    """Say why this is no name we can work with; None when it is."""
    if isinstance(given, bool) or not isinstance(given, str | int):
        return f"{given!r} is not a text"
    text = str(given).strip()
    if not text:
        return "is empty"
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if not text.isprintable():
        return f"{text!r} holds characters that cannot be seen"
    return None


def id_problem(given: str) -> str | None:
    """Say why this is no id as webhooks write it; None when it may be one."""
    if not given.startswith("gid://"):
        return None
    return f"{given} is a gid; write the plain id, {given.rpartition('/')[2]}"


def line_of(text: bytes, offset: int) -> int:
    """The number of the line that a byte stands in."""
    return text.count(b"\n", 0, offset) + 1


def _choice(known: Iterable[str]) -> str:
    names = ", ".join(known)
    return f"known: {names}" if names else "none is known yet"
