"""Every list of the API, found in its document: pages, cursors, and what is refused."""

import pytest

from app.domain.instants import now
from app.store.engine import writing
from app.store.people import deeds
from tests.builders import JACKET

BY_NUMBERS, BY_WORDS = "WzEsMiwzLDRd", "WyJhIiwiYiJd"
"""Well-formed cursors, longer than any list's."""


@pytest.fixture
def lists(api, client) -> list[str]:
    document = client.get("/api/v1/openapi.json").json
    return [
        path.removeprefix("/api/v1").format(sku=JACKET, publication_id=1)
        for path, item in document["paths"].items()
        if any(
            one.get("name") == "cursor"
            for one in item.get("get", {}).get("parameters", ())
        )
    ]


def test_a_list_is_the_same_page_by_page(api, shop, engine, lists):
    shop.sku("RED-SCARF")
    shop.listing("web", "RED-SCARF", "scarf-on-the-web")
    for _ in range(3):
        line = {"sku": JACKET, "quantity": 1}
        api.post("/receipts", {"location": "harbour", "lines": [line]})
        ways = {"from": "downtown", "to": "harbour", "lines": [line]}
        api.post("/transfers", ways)
        back = {"location": "harbour", "lines": [line | {"disposition": "inspect"}]}
        api.post("/returns", back)
    with writing(engine) as connection:
        for name in ("one", "two", "three"):
            deeds.note(connection, "ada", "press", name, now())

    several = set()
    for path in lists:
        whole = api.get(path)["items"]
        page = api.get(f"{path}?limit=1")
        walked = page["items"]
        while page["next"]:
            page = api.get(f"{path}?limit=1&cursor={page['next']}")
            walked += page["items"]
        assert walked == whole, path
        several |= {path} if len(whole) > 1 else set()

    assert several >= {
        *("/stock", f"/stock/{JACKET}/ledger", "/transfers", "/returns"),
        *("/publications", "/channels", "/audit", "/incidents"),
    }


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_page_that_cannot_be_meant_names_its_field(api, shop, lists):
    assert len(lists) >= 12
    for path in lists:
        for field, told in (
            *(("limit", wrong) for wrong in ("0", "1001", "x")),
            *(("cursor", wrong) for wrong in ("§", "e", BY_NUMBERS, BY_WORDS)),
        ):
            refused = api.call("GET", f"{path}?{field}={told}")
            assert refused.status_code == 422, (path, field, told)
            assert refused.content_type == "application/problem+json"
            assert [one["field"] for one in refused.json["errors"]] == [field]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_parameter_that_no_list_has_is_refused_by_its_name(api, shop, lists):
    for path in (*lists, f"/stock/{JACKET}"):
        refused = api.call("GET", f"{path}?stat=failed")
        assert refused.status_code == 422, path
        assert [one["field"] for one in refused.json["errors"]] == ["stat"]

    # What the answer calls it is as good as `cursor`.
    assert api.get("/stock?limit=1&next=WyJBIl0")["items"]
