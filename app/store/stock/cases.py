"""The lines table: cases loaded for a batch, and written back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.events import PLACED, ROUTED, is_by_hold
from app.domain.states import COMMITTED, RESERVED, Movement
from app.domain.targets import Movements, Target
from app.store import bulk
from app.store.engine import is_sqlite
from app.store.tables import channels, kit_parts, lines

_CHANGED = ("order_number", "sku_id", "targets", "posted")
_NEW = ("case_key", "line", "channel_id", *_CHANGED)
_COLUMNS = "id, case_key, line, channel_id, order_number, sku_id, targets, posted"

_SELECTED = tuple(lines.c[name.strip()] for name in _COLUMNS.split(","))

_encode = msgspec.json.Encoder().encode
_targets = msgspec.json.Decoder(dict[str, Target]).decode
_posted = msgspec.json.Decoder(list[tuple[int, str, int, str, int, int, int]]).decode


@dataclass(slots=True)
class Case:
    """One line of the lines table, opened. `id` is None until it is loaded again."""

    id: int | None
    case_key: str
    line: str
    channel_id: int | None
    order_number: str | None
    sku_id: int | None
    targets: dict[str, Target] = field(default_factory=dict)
    posted: Movements = field(default_factory=dict)

    def take_over(self, told: Mapping[str, Target]) -> None:
        """Keep what else was told of it, but for what is known in a newer version."""
        for name, target in told.items():
            if name not in self.targets or self.targets[name].version < target.version:
                self.targets[name] = target
        placed = self.targets.get(PLACED)
        if placed is not None and not is_by_hold(placed.version):
            self.forget_hold()

    def forget_hold(self) -> None:
        """The order's channel has spoken: where its hold was no longer matters."""
        for name in [n for n, t in self.targets.items() if is_by_hold(t.version)]:
            if name.startswith(f"{ROUTED}:"):
                del self.targets[name]


def load(connection: Connection, case_keys: Iterable[str]) -> Sequence[Case]:
    """Every line of these cases."""
    found = bulk.select(
        connection, f"SELECT {_COLUMNS} FROM lines WHERE case_key {{among}}", case_keys
    )
    return [_opened(row) for row in found]


def load_numbers(connection: Connection, numbers: Iterable[str]) -> Sequence[Case]:
    """Every line of orders with these numbers, whatever the channel."""
    found = bulk.select(
        connection,
        f"SELECT {_COLUMNS} FROM lines WHERE order_number {{among}}",
        numbers,
    )
    return [_opened(row) for row in found]


def in_order(connection: Connection) -> Iterator[Case]:
    """Every line, by key and name as plain text, some at a time: there are many."""
    names: list[sa.ColumnElement[str]] = [lines.c.case_key, lines.c.line]
    if not is_sqlite(connection):
        names = [name.collate("C") for name in names]
    query = sa.select(*_SELECTED).order_by(*names)
    return map(_opened, connection.execute(query.execution_options(yield_per=1000)))


def load_having(connection: Connection, fact: str) -> Sequence[Case]:
    """Every line with this fact; not for the hot path."""
    found = connection.execute(
        sa.select(*_SELECTED)
        .where(lines.c.targets.contains(f'"{fact}"', autoescape=True))
        .order_by(lines.c.id)
    )
    return [case for row in found if fact in (case := _opened(row)).targets]


def promising(connection: Connection, channel_id: int) -> Sequence[Case]:
    """A channel's lines of which units are promised still; not for the hot path."""
    promised = [
        lines.c.posted.contains(f'"{state}"') for state in (COMMITTED, RESERVED)
    ]
    found = connection.execute(
        sa.select(*_SELECTED)
        .where(lines.c.channel_id == channel_id, sa.or_(*promised))
        .order_by(lines.c.id)
    )
    opened = map(_opened, found)
    return [
        case
        for case in opened
        if any(one.to_state in (COMMITTED, RESERVED) for one in case.posted)
    ]


def spellings(number: str) -> list[str]:
    """An order's number as people and providers write it: with its # and without."""
    plain = number.removeprefix("#")
    return sorted({number, plain, f"#{plain}"})


def skus_of(order: str) -> sa.CompoundSelect[tuple[int]]:
    """The SKUs that an order, named by its number or id, changes the numbers of: those
    of its lines, what kits among them are made of, and every kit made of one of them."""
    names = spellings(order)
    keys = sa.union_all(
        *(sa.select(channels.c.key.concat(f"/order/{name}")) for name in names)
    )
    ordered = sa.union(
        sa.select(lines.c.sku_id).where(lines.c.order_number.in_(names)),
        sa.select(lines.c.sku_id).where(lines.c.case_key.in_(keys)),
    ).cte()
    part, kit = kit_parts.c.sku_id, kit_parts.c.kit_id
    moved = sa.union(
        sa.select(ordered.c.sku_id),
        sa.select(part).join(ordered, kit == ordered.c.sku_id),
    ).cte()
    return sa.union(
        sa.select(moved.c.sku_id), sa.select(kit).join(moved, part == moved.c.sku_id)
    )


def save(connection: Connection, cases: Sequence[Case]) -> None:
    """Write changed cases back."""
    bulk.insert(
        connection,
        lines,
        _NEW,
        [
            (
                case.case_key,
                case.line,
                case.channel_id,
                case.order_number,
                case.sku_id,
                *_closed(case),
            )
            for case in cases
            if case.id is None
        ],
    )
    bulk.change(
        connection,
        lines,
        _CHANGED,
        [
            (case.order_number, case.sku_id, *_closed(case), case.id)
            for case in cases
            if case.id is not None
        ],
    )


def _opened(row: Sequence[object]) -> Case:
    id_, case_key, line, channel_id, number, sku_id, targets, posted = row
    return Case(
        id_,  # type: ignore[arg-type]
        str(case_key),
        str(line),
        channel_id,  # type: ignore[arg-type]
        number,  # type: ignore[arg-type]
        sku_id,  # type: ignore[arg-type]
        _targets(str(targets)),
        {Movement(*told[:-1]): told[-1] for told in _posted(str(posted))},
    )


def _closed(case: Case) -> tuple[str, str]:
    posted = [(*movement, quantity) for movement, quantity in case.posted.items()]
    return _encode(case.targets).decode(), _encode(posted).decode()
