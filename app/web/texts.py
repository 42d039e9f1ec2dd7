"""The dashboard's texts, in the language of whoever reads them.

Each stands in English where it is shown: in `_`, `ngettext` or `{% trans %}` in a template,
in `gettext`, `ngettext` or `lazy` in Python. `make texts` gathers all of them in
`translations/messages.pot`. A language is one file beside it, `<language>.po`; it is read
when the application starts. How to add one: docs/translating.md.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, current_app, request
from markupsafe import Markup, escape

FOLDER: Final = Path(__file__).parent / "translations"
ENGLISH: Final = "en"
EXTENSION: Final = "texts"
MINUS: Final = "\N{MINUS SIGN}"

_AS_WRITTEN: Final = NullTranslations()
_spoken: ContextVar[NullTranslations] = ContextVar("spoken", default=_AS_WRITTEN)
"""The language of the request that is answered; English for all else."""


def prepare(app: Flask) -> None:
    """Read the languages there are, and let every request and template speak them."""
    app.extensions[EXTENSION] = read(FOLDER)
    app.before_request(_begin)
    app.teardown_request(_end)
    environment = app.jinja_env
    environment.add_extension("jinja2.ext.i18n")
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(
        _=_safe, gettext=_safe, ngettext=_safe_plural, language=language
    )


def read(folder: Path) -> Mapping[str, NullTranslations]:
    """Each language of a folder as its translators keep it, and English."""
    found = {path.stem: _compiled(path) for path in folder.glob("*.po")}
    tags = {name.replace("_", "-").lower(): one for name, one in found.items()}
    return {ENGLISH: _AS_WRITTEN, **tags}


def _compiled(path: Path) -> GNUTranslations:
    """What is not translated yet stays English."""
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return GNUTranslations(compiled)


def language() -> str:
    """The one that the reader's browser likes best, of those there are."""
    known = current_app.extensions[EXTENSION]
    for tag, quality in request.accept_languages:
        for name in (tag.lower(), tag.lower().partition("-")[0]):
            if quality and name in known:
                return name
    return ENGLISH


def _begin() -> None:
    _spoken.set(current_app.extensions[EXTENSION][language()])


def _end(_error: BaseException | None) -> None:
    _spoken.set(_AS_WRITTEN)


def number(value: int | None) -> str:
    """A number as people read it; a dash when nothing is known."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,}".replace("-", MINUS)


def gettext(text: str, /, **named: object) -> str:
    """The text with what is named in it, as `%(name)s`; a per cent sign is `%%`."""
    return _spoken.get().gettext(text) % named


def ngettext(one: str, many: str, count: int, /, **named: object) -> str:
    """The text for so many; the number itself is `%(num)s`."""
    named.setdefault("num", number(count))
    return _spoken.get().ngettext(one, many, abs(count)) % named


def _safe(text: str, /, **named: object) -> Markup:
    """For templates: the text may have tags; what is named in it is escaped."""
    if not named:
        return _bare(_spoken.get(), text)
    return Markup(_spoken.get().gettext(text) % _escaped(named))


@cache
def _bare(spoken: NullTranslations, text: str) -> Markup:
    """A page has hundreds of these: each is made once."""
    return Markup(spoken.gettext(text) % {})


def _safe_plural(one: str, many: str, count: int, /, **named: object) -> Markup:
    return Markup(ngettext(one, many, count, **_escaped(named)))


def _escaped(named: Mapping[str, object]) -> dict[str, Markup]:
    return {name: escape(value) for name, value in named.items()}


class _Lazy:
    """Looks the text up whenever it is read."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return _spoken.get().gettext(self.text)

    def __getattr__(self, name: str) -> Any:
        return getattr(str(self), name)


def lazy(text: str) -> str:
    """A text of a constant: it is made once, and read in many languages."""
    return cast(str, _Lazy(text))
