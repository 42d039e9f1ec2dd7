"""Names in a request, checked before anything is written: 422 with the field."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.store.engine import reading
from app.store.stock import catalogue
from app.web.hub import hub
from app.web.problems import Problem


def check(skus: Mapping[str, str], locations: Mapping[str, str]) -> None:
    """Refuse unknown names. Both map the field's path to what it says."""
    with reading(hub().engine) as connection:
        no_skus = catalogue.unknown_skus(connection, skus.values())
        no_locations = catalogue.unknown_locations(connection, locations.values())
    wrong = [
        *_wrong(skus, no_skus, "SKU"),
        *_wrong(locations, no_locations, "location"),
    ]
    if wrong:
        told = "; ".join(f"{one['field']}: {one['detail']}" for one in wrong[:3])
        raise Problem(422, told, errors=wrong)


def of_lines(
    lines: Sequence[Mapping[str, Any]], name: str, list_: str = "lines"
) -> dict[str, str]:
    """The paths and values of one field of a list's lines, where it is given."""
    return {
        f"{list_}[{position}].{name}": line[name]
        for position, line in enumerate(lines)
        if line.get(name) is not None
    }


def _wrong(
    named: Mapping[str, str], unknown: set[str], kind: str
) -> Iterator[dict[str, str]]:
    for field, word in named.items():
        if word in unknown:
            yield {"field": field, "detail": f"there is no {kind} {word!r}"}
