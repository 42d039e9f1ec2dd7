"""Every text of the dashboard goes through the catalogue, and so into any language."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po, write_po
from flask import Flask
from jinja2 import nodes

import adapters
from app.domain.errors import GiveUp
from app.domain.instants import MINUTE, now
from app.pipeline.applying import oversells
from app.procfile import ROOT
from app.store.tables import audit_log, inbox, publications
from app.store.watching import watchlist
from app.web import texts
from tests.builders import JACKET, Shop, order, returned, sale
from tests.web.pages.conftest import Person

TEMPLATES = sorted((ROOT / "app/web/templates").glob("*.html"))
MODULES = sorted((ROOT / "app/web/pages").glob("*.py"))
CATALOGUE = texts.FOLDER / "messages.pot"
ATTRIBUTES = {"title", "aria-label", "placeholder", "alt", "data-label"}


class Shown(HTMLParser):
    """What a reader is shown or read out: texts in the page's order, and attributes."""

    def __init__(self, page: str, without: str = "code pre script style") -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self._without = set(without.split())
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.attributes += [told[name] for name in sorted(ATTRIBUTES & told.keys())]
        marks = {tag, *(f".{one}" for one in told.get("class", "").split())}
        if tag not in VOID and (self._inside or marks & self._without):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.texts.append(data)


VOID = {"input", "img", "br", "meta", "link", "path", "rect"}

# -- nothing stands outside of the catalogue -----------------------------------


@pytest.fixture(scope="module")
def environment():
    app = Flask(__name__)
    texts.prepare(app)
    return app.jinja_env


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_shows_no_text_of_its_own(environment, path: Path) -> None:
    tree = environment.parse(path.read_text())
    marked = {id(one) for call in _marked(tree) for one in call.args}
    page = Shown("".join(one.data for one in tree.find_all(nodes.TemplateData)))
    said = [
        one.value
        for one in tree.find_all(nodes.Const)
        if isinstance(one.value, str) and id(one) not in marked
    ]

    bare = [one for one in page.texts + page.attributes if _words(one)]
    bare += [one for one in said if re.search("[A-Z]|[a-z] [a-z]", one)]

    assert bare == NO_TEXTS.get(path.stem, [])


NO_TEXTS = {"counting": ["GET"], "layout": ["X-Live"], "sheets": ["CSV", "Excel"]}


def _marked(tree: nodes.Template) -> Iterator[nodes.Call]:
    for call in tree.find_all(nodes.Call):
        if getattr(call.node, "name", "") in ("_", "gettext", "ngettext"):
            yield call


def _words(text: str) -> list[str]:
    """Those that are neither our name, nor an example, nor the class of a body."""
    bare = re.sub(r"Onecount|name@shop\.example|^\s*alone\s*$", "", text)
    return re.findall("[A-Za-z]{2,}", bare)


def test_a_module_shows_no_text_of_its_own() -> None:
    found = {
        said for path in MODULES for said in _sentences(ast.parse(path.read_text()))
    }

    assert found == NEVER_SHOWN


NEVER_SHOWN = {
    "; import it first",
    "%Y-%m-%d %H:%M UTC",
    "/sheets/export/<what>.<any(csv, xlsx):ending>",
    "Mac OS X",
    '<time datetime="',
    "curl -X POST ",
    '-H "Authorization: Bearer $TOKEN"',
    " -H 'Content-Type: application/json'",
    "link for new password",  # in the audit log, as are the next ones
    "make token",
    "paused by ",
    "not paid yet",  # words of an incident, translated from these
    "handed over",
    "text/csv; charset=utf-8",
    "whoever is logged in has just been kept out",
    "Field may not be null\\.|Missing data for required field\\.",
    "Length must be between 1 and (\\d+)\\.",
    "Must be greater than or equal to (\\S+) and less than or equal to (\\S+)\\.",
    "Not a valid integer\\.",
    "needed with `closes`",
}
"""More than a word, but for programs, for the audit log, or read from elsewhere."""


def _sentences(tree: ast.AST) -> Iterator[str]:
    """Constants of more than a word that are neither docstrings nor marked."""
    apart: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            apart.add(id(node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in MARKED:
            apart |= {id(one) for one in ast.walk(node)}
    for node in ast.walk(tree):
        said = str(node.value) if isinstance(node, ast.Constant) else ""
        if id(node) not in apart and re.search(r"[A-Za-z]\S* +\S", said):
            yield said


MARKED = {"gettext", "ngettext", "lazy", "note", "deeds.note"}


def test_the_catalogue_holds_every_text(tmp_path: Path) -> None:
    fresh = tmp_path / "messages.pot"
    told = [
        "pybabel",
        "-q",
        "extract",
        "-F",
        str(ROOT / "pyproject.toml"),
        "-k",
        "lazy",
    ]

    CommandLineInterface().run([*told, "-o", str(fresh), str(ROOT / "app/web")])

    assert _ids(fresh) == _ids(CATALOGUE), "run `make texts`"


def _ids(path: Path) -> set[object]:
    with path.open("rb") as file:
        return {message.id for message in read_po(file) if message.id}


# -- another language ------------------------------------------------------------


def write_language(folder: Path, only: str = "") -> None:
    """Esperanto, whose every text is the English one between brackets."""
    with CATALOGUE.open("rb") as file:
        language = read_po(file, locale="eo")
    for message in language:
        forms = message.id if isinstance(message.id, tuple) else (message.id,)
        if message.id and only in forms[0]:
            put = tuple(f"\u27e6{form}\u27e7" for form in forms)
            message.string = put if message.pluralizable else put[0]
    with (folder / "eo.po").open("wb") as file:
        write_po(file, language)


def test_what_is_not_translated_yet_stays_english(tmp_path: Path) -> None:
    write_language(tmp_path, only="unit")
    app = Flask(__name__)
    texts.prepare(app)
    app.extensions[texts.EXTENSION] = texts.read(tmp_path)

    with app.test_request_context(headers={"Accept-Language": "fr, eo;q=0.8"}):
        app.preprocess_request()
        one = texts.ngettext("%(num)s unit", "%(num)s units", 1)
        many = texts.ngettext("%(num)s unit", "%(num)s units", 1200)
        assert (one, many) == ("\u27e61 unit\u27e7", "\u27e61,200 units\u27e7")
        assert str(texts.lazy("Delivered")) == "Delivered"
    with app.test_request_context(headers={"Accept-Language": "en-GB, eo;q=0.8"}):
        app.preprocess_request()
        assert texts.ngettext("%(num)s unit", "%(num)s units", 1) == "1 unit"


@pytest.fixture
def ada(app: Flask, tmp_path: Path, monkeypatch, person) -> Person:
    """An administrator who reads Esperanto."""
    write_language(tmp_path)
    monkeypatch.setitem(app.extensions, texts.EXTENSION, texts.read(tmp_path))
    ada = person("admin")
    ada.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "eo, en;q=0.5"
    return ada


@pytest.fixture
def busy(shop, deliveries) -> Shop:
    """Something of everything that pages tell of."""
    at, item = now(), "jacket-on-the-web"
    shop.sku("GLOVES-9-RED")
    unreadable = order("1003", item, 1, at=at)
    unreadable["lines"][0]["quantity"] = -2
    shop.tell(
        "web",
        order("1001", item, 13, at=at, version=7),
        order("1001", item, 14, at=at, version=7),
        order("1002", "gloves-9", 2, at=at),
        returned("1004", item, 2, at=at, location="d"),
        unreadable,
    )
    shop.tell("till", sale("T-1", JACKET, 1, at=at, location="9"))
    deliveries.fail(deliveries.id(JACKET, place="d"), "no such item", GiveUp)
    deliveries.want(deliveries.id(JACKET, place="h"), at - MINUTE)
    return shop


LOOKED_AT = f"""
    / /incidents /incidents?state=over /incidents/1 /incidents/2 /incidents/3
    /deliveries?state=any&open=1 /deliveries?channel=till /deliveries/1 /deliveries/tail
    /deliveries/plan?state=failed /deliveries/plan?state=failed&action=discard
    /stock /stock?q=nothing /stock/{JACKET} /stock/{JACKET}?at=2026-01-01T00:00
    /change/adjust?sku={JACKET} /change/count /change/transfer /change/hold
    /inspections /counting /counting?location=downtown
    /channels /channels/till /channels/web/policy /listings/1/policy
    /inbox?state=parked /inbox?state=buried /inbox?state=waiting
    /account /account/factor /audit /sheets /connect /nowhere
"""
PRESSED = {
    "/change/adjust/preview": {
        "sku": JACKET,
        "location": "downtown",
        "change": "-1",
        "reason": "1",
    },
    "/change/count": {"sku": JACKET, "quantity": "many"},
    "/deliveries/runs": {"state": "failed", "action": "retry"},
    "/people": {"email": "bo@blue-jacket.example", "role": "viewer"},
    "/tokens": {"name": "1", "role": "viewer"},
    "/channels/web/pause": {"reason": "1"},
    "/incidents/1/snooze": {"for": "day"},
    "/inbox/name": {},
}
DATA = re.compile(
    r"BLUE-JACKET-M|GLOVES-9-RED|gloves-9|\b(web|till|downtown|harbour)\b"
    r"|\w+@blue-jacket\.example|UTC|CSV|Excel|\.csv|Standard Webhooks|Shopify|Square"
    r"|Werkzeug\S*|\btest\b"
)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_every_page_speaks_the_reader_s_language(ada, busy, engine) -> None:
    pages = {path: ada.press(path, form).text for path, form in PRESSED.items()}
    pages |= {path: ada.get(path).text for path in LOOKED_AT.split()}
    kept = kept_in_english(engine)

    english = {path: left for path, page in pages.items() if (left := bare(page, kept))}

    assert english == {}
    assert all('<html lang="eo">' in page for page in pages.values())


def bare(page: str, kept: re.Pattern[str]) -> list[str]:
    """English outside of brackets that is neither data nor kept in English."""
    shown = Shown(page, "code pre script style .words .words-all")
    found = []
    for text in ("\n".join(shown.texts), *shown.attributes):
        text = kept.sub("", text)
        while (outer := re.sub("\u27e6[^\u27e6\u27e7]*\u27e7", "", text)) != text:
            text = outer
        found += _words(DATA.sub("", text))
    return found


def kept_in_english(engine) -> re.Pattern[str]:
    """What is written down, or said by an adapter: docs/translating.md."""
    columns = (
        audit_log.c.action,
        audit_log.c.subject,
        inbox.c.error,
        inbox.c.topic,
        publications.c.last_error,
    )
    secrets = adapters.get("standard").secrets
    with engine.connect() as connection:
        rows = watchlist.listed(connection, "put_off", now(), limit=9)
        rows = [*rows, *watchlist.listed(connection, "open", now(), limit=9)]
        said = {row["message"] for row in oversells.up_to_date(connection, rows, now())}
        for column in columns:
            said |= set(connection.scalars(sa.select(column)))
    parts = sorted({*said, *secrets, *secrets.values()} - {None, ""}, key=len)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, reversed(parts)))})(?!\w)")
