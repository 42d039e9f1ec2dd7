"""/api/v1/skus/…: what a SKU is called, and what a kit is made of."""

from collections import Counter
from typing import Any

from marshmallow import Schema, fields

from app.domain import instants
from app.pipeline.acts.facts import wake_all
from app.pipeline.configuring.naming import add_alias, rename
from app.pipeline.configuring.recipes import described, set_recipe
from app.web.api import audit
from app.web.api.fields import LONGEST_WORD, Moment, Word, storable, units
from app.web.api.idempotency import once, this_try
from app.web.api.resource import Resource
from app.web.api.stock import Component, no_sku
from app.web.auth import ADMIN, VIEWER, actor, needs
from app.web.hub import hub
from app.web.problems import refused_field

blueprint = Resource("skus", "SKUs: their names, and the recipes of kits.")

MOST_PARTS = 10**6


class Part(Schema):
    """One component of a recipe."""

    sku = Word(required=True)
    quantity = units(required=True)


class NewRecipe(Schema):
    """What one kit is made of."""

    components = fields.List(
        fields.Nested(Part),
        required=True,
        metadata={
            "description": "Kits may be components. A pack of six is one component, six "
            "times. None: it is no kit any more."
        },
    )
    from_ = Moment(
        past=True,
        data_key="from",
        attribute="from",
        metadata={
            "description": "What was ordered before keeps the recipe before. Left out: "
            "now, or ever since for a SKU that was never moved or counted."
        },
    )


class NewAlias(Schema):
    """Another text for a SKU."""

    alias = Word(required=True)


class NewCode(Schema):
    """Another code for a SKU."""

    to = Word(required=True)


class Alias(Schema):
    """Another text that names a SKU, or did."""

    alias = fields.String()
    kind = fields.String(
        metadata={"description": "alias, or renamed: it was the SKU's code"}
    )
    made_at = Moment()
    ended_at = Moment(
        allow_none=True, metadata={"description": "It is the SKU's code again."}
    )
    actor = fields.String(allow_none=True)


class RecipeThen(Schema):
    """A recipe, and from when on it was in force."""

    components = fields.List(fields.Nested(Component))
    valid_from = Moment(metadata={"description": "1970: ever since."})
    recorded_at = Moment()
    actor = fields.String(allow_none=True)


class Sku(Schema):
    """A SKU, what names it, and what it is made of."""

    sku = fields.String()
    name = fields.String()
    barcode = fields.String(allow_none=True)
    aliases = fields.List(fields.String())
    alias_history = fields.List(fields.Nested(Alias))
    recipe = fields.List(
        fields.Nested(Component),
        allow_none=True,
        metadata={"description": "What the kit is made of now; null: it is no kit."},
    )
    parts = fields.List(
        fields.Nested(Component),
        metadata={"description": "The same, nested kits taken apart."},
    )
    recipe_history = fields.List(
        fields.Nested(RecipeThen), metadata={"description": "The newest first."}
    )


@blueprint.get("/skus/<sku:sku>")
@needs(VIEWER)
@blueprint.answers(200, Sku)
def show_sku(sku: str) -> dict[str, Any]:
    """Show a SKU by its code or an alias: its names, its recipe, and their history."""
    return _shown(sku)


@blueprint.put("/skus/<sku:sku>/recipe")
@needs(ADMIN)
@once
@blueprint.body(NewRecipe)
@blueprint.answers(200, Sku)
def put_recipe(told: dict[str, Any], sku: str) -> dict[str, Any]:
    """Say what a kit is made of; a SKU that nobody knew is made.

    What moves a kit moves its components. A SKU with units or promises of its own
    cannot become a kit, and no kit can hold itself.
    """
    _check(sku, "sku")
    parts: Counter[str] = Counter()
    for number, part in enumerate(told["components"]):
        parts[part["sku"]] += part["quantity"]
        if parts[part["sku"]] > MOST_PARTS:
            field = f"components[{number}].quantity"
            raise refused_field(field, f"one kit takes {MOST_PARTS} of it at most")
    lanes = set_recipe(
        hub().engine,
        sku,
        parts,
        since=told.get("from"),
        now=this_try().now,
        actor=actor(),
    )
    audit.note("recipe", f"sku {sku}", {"components": dict(parts)})
    wake_all(hub().bell, lanes)
    return _shown(sku)


@blueprint.post("/skus/<sku:sku>/aliases")
@needs(ADMIN)
@once
@blueprint.body(NewAlias)
@blueprint.answers(201, Sku)
def post_alias(told: dict[str, Any], sku: str) -> dict[str, Any]:
    """Let another text name a SKU, one from an old system for instance.

    What waited for that text applies now. A SKU's own code always comes first.
    """
    _known(sku)
    lanes = add_alias(
        hub().engine, sku, told["alias"], now=this_try().now, actor=actor()
    )
    audit.note("alias", f"sku {sku}", told)
    wake_all(hub().bell, lanes)
    return _shown(sku)


@blueprint.post("/skus/<sku:sku>/rename")
@needs(ADMIN)
@once
@blueprint.body(NewCode)
@blueprint.answers(200, Sku)
def rename_sku(told: dict[str, Any], sku: str) -> dict[str, Any]:
    """Give a SKU another code. The old one becomes an alias; no unit moves."""
    _known(sku)
    lanes = rename(hub().engine, sku, told["to"], now=this_try().now, actor=actor())
    audit.note("rename", f"sku {sku}", told)
    wake_all(hub().bell, lanes)
    return _shown(told["to"])


def _check(sku: str, field: str) -> None:
    if not storable(sku) or len(sku) > LONGEST_WORD:
        raise refused_field(field, "is too long or cannot be stored")


def _known(sku: str) -> None:
    _shown(sku)


def _shown(sku: str) -> dict[str, Any]:
    found = None
    if storable(sku):
        with hub().engine.connect() as connection:
            found = described(connection, sku, instants.now())
    if found is None:
        raise no_sku(sku)
    return found
