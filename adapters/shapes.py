"""What providers send, checked by marshmallow and read into our own kinds of value.

Whole units, times as instants, ids as text. The first thing that does not fit is
raised as MalformedPayload with the way to it: `line_items[0].quantity: …`.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from adapters.checks import LARGEST, instant, name, shown
from app.domain.errors import MalformedPayload
from app.domain.instants import Instant

_LONGEST = 50
_HUGE = Decimal(10) ** 20


class Part(Schema):
    """An object of a payload: fields nobody named are passed over."""

    class Meta:
        unknown = EXCLUDE


class Units(fields.Field[int]):
    """A whole number of units, given as a number or as decimal text."""

    def __init__(self, *, signed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lowest = -LARGEST if signed else 0

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> int:
        number = decimal(value)
        if number is None or number % 1 != 0:
            raise ValidationError(f"{shown(value)} is not a whole number of units")
        if not self.lowest <= number <= LARGEST:
            raise ValidationError(
                f"{shown(value)} is not between {self.lowest} and {LARGEST}"
            )
        return int(number)


class Time(fields.Field[Instant]):
    """An ISO 8601 time that says its zone."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> Instant:
        return int(_in_words(instant, value))


class Name(fields.Field[str]):
    """An id or code: text, or a number written as text; never empty."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> str:
        return str(_in_words(name, value))


def _in_words(check: Callable[..., Any], value: Any) -> Any:
    """Let a hand-made check speak as marshmallow does: it knows the field's name."""
    try:
        return check({"": value}, "")
    except MalformedPayload as error:
        raise ValidationError(str(error).removeprefix(": ")) from error


class Each(fields.List[dict[str, Any]]):
    """A list of parts; missing or null is empty."""

    def __init__(self, part: type[Part]) -> None:
        super().__init__(fields.Nested(part), load_default=list, allow_none=True)

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super().deserialize([] if value is None else value, *args, **kwargs)


class Rows(fields.Field[list[dict[str, Any]]]):
    """A list of objects that are checked one by one later: some may be no stock."""

    def __init__(self, part: type[Part]) -> None:
        super().__init__(load_default=list, allow_none=True)
        self.part = part

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super().deserialize([] if value is None else value, *args, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise ValidationError("not a list")
        for place, row in enumerate(value):
            if not isinstance(row, dict):
                raise ValidationError({place: ["not an object"]})
        return value


def optional(field: type[fields.Field[Any]] | type[Part]) -> Any:
    """A field that may be missing or null: then it is None."""
    if issubclass(field, Part):
        return fields.Nested(field, load_default=None, allow_none=True)
    return field(load_default=None, allow_none=True)


def kept(part: type[Part]) -> dict[str, Any]:
    """The fields a part reads, as a shape for `keep`: nothing else is stored."""
    return {name: _kept(field) for name, field in part._declared_fields.items()}


def _kept(field: Any) -> Any:
    if isinstance(field, fields.List):
        return _kept(field.inner)
    if isinstance(field, Rows):
        return kept(field.part)
    if isinstance(field, fields.Nested):
        return kept(cast(type[Part], type(field.schema)))
    return True


def decimal(value: Any) -> Decimal | None:
    """A finite decimal number from a number or text, else None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    try:
        number = Decimal(text if len(text) <= _LONGEST else "NaN")
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < _HUGE else None


def load(schema: Schema, part: Any, at: str = "") -> dict[str, Any]:
    """Check one object; raise MalformedPayload naming the field. `at`: where it is."""
    try:
        return cast(dict[str, Any], schema.load(part))
    except ValidationError as error:
        way, words = _first(error.messages)
        name = f"{at}.{way}".strip(".") if not way.startswith("[") else at + way
        raise MalformedPayload(f"{name or 'body'}: {words}") from error


def _first(messages: Any) -> tuple[str, str]:
    """The first complaint, and the way to it as `lines[0].quantity`."""
    way = ""
    while isinstance(messages, Mapping):
        step, messages = next(iter(messages.items()))
        if step == "_schema":
            continue
        way += f"[{step}]" if isinstance(step, int) else f".{step}" if way else step
    return way, str(messages[0]) if isinstance(messages, list) else str(messages)
