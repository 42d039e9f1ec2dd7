"""What is measured, and the dashboard and alert rules that are made of it."""

import json
import re

import pytest
import yaml

from app.domain import drift
from app.domain.budget import Budget
from app.domain.instants import HOUR, MINUTE, SECOND, now
from app.pipeline.publishing.exposing import expose
from app.pipeline.publishing.marking import mark_all
from app.procfile import ROOT
from app.store.engine import writing
from app.store.publishing import tallies
from app.store.tables import channels, publications
from app.store.watching import incidents
from app.web.metrics import StoredNumbers
from tests.builders import JACKET, sale

MONITORING = ROOT / "docs" / "monitoring"
pytestmark = pytest.mark.parametrize("backend", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def measured(engine):
    def read() -> dict[str, float]:
        return {
            sample.name + "".join(f" {v}" for v in sample.labels.values()): sample.value
            for family in StoredNumbers(engine).collect()
            for sample in family.samples
        }

    return read


def change(engine, table, **values):
    with writing(engine) as connection:
        connection.execute(table.update().values(**values))


def shows_ten(engine):
    """The store took 10 for downtown, and 0 for the harbour."""
    taken = {"accepted_at": 1, "accepted_version": publications.c.wanted_version}
    change(engine, publications, accepted=0, **taken)
    with writing(engine) as connection:
        downtown = publications.update().where(publications.c.place == "d")
        connection.execute(downtown.values(accepted=10))


def test_exposure_is_what_a_channel_shows_beyond_what_it_may(shop, engine, measured):
    shows_ten(engine)
    assert measured()["onecount_exposure_units web"] == 0

    shop.tell("till", sale("T-1", JACKET, 3, at=now(), location="1"))
    mark_all(engine, now())
    expose(engine, now() + SECOND, now())

    assert measured()["onecount_exposure_units web"] == 3
    assert measured()["onecount_exposed_publications web"] == 1
    assert measured()["onecount_exposure_units till"] == 0


def test_a_dead_letter_is_still_a_risk(shop, engine, measured):
    shows_ten(engine)
    change(engine, publications, failed_at=now(), error_class="GiveUp")
    shop.tell("till", sale("T-1", JACKET, 3, at=now(), location="1"))
    mark_all(engine, now())
    expose(engine, now() + SECOND, now())

    assert measured()["onecount_exposure_units web"] == 3


def test_a_held_channel_is_seen_to_be_held_and_behind(shop, engine, measured):
    mark_all(engine, now())
    change(engine, publications, wanted_at=now() - MINUTE)
    change(
        engine,
        channels,
        tripped_at=now(),
        held_until=now() + MINUTE,
        failures=5,
        budget=Budget(25, 100, now(), resets_at=now() + MINUTE).written(),
    )

    told = measured()

    assert told["onecount_publications web held"] == 2
    assert told["onecount_channel_circuit_open web"] == 1
    assert 50 < told["onecount_channel_held_seconds web"] <= 60
    assert told["onecount_channel_failures web"] == 5
    assert told["onecount_channel_call_budget_ratio web"] == 0.25
    assert told["onecount_publications_oldest_overdue_seconds web"] == 0
    assert told["onecount_publications_oldest_wanted_seconds web"] >= 60


def test_tallies_are_counters_by_channel(shop, engine, measured):
    with writing(engine) as connection:
        for _ in range(2):
            tallies.add(
                connection,
                1,
                {"attempt:timed_out": 1, tallies.SUPERSEDED: 4, "milliseconds": 1500}
                | {"drift:lost event": 1},
                now(),
            )

    told = measured()

    assert told["onecount_push_attempts_total web timed_out"] == 2
    assert told["onecount_wishes_total web superseded"] == 8
    assert told["onecount_push_seconds_total web"] == 3
    assert told["onecount_drifts_total web lost event"] == 2


def test_how_long_numbers_take_is_a_histogram(shop, engine, client):
    with writing(engine) as connection:
        took = [90_000, 2 * SECOND, 3 * SECOND, 2 * HOUR]
        tallies.add(connection, 1, tallies.delays(took), now())

    text = client.get("/metrics").text

    told = 'onecount_delivery_seconds_bucket{channel="web",le="%s"} %s'
    for bound, times in (("0.1", 1.0), ("2.5", 2.0), ("5.0", 3.0), ("+Inf", 4.0)):
        assert told % (bound, times) in text
    assert 'onecount_delivery_seconds_count{channel="web"} 4.0' in text
    assert 'onecount_delivery_seconds_sum{channel="web"} 7205.09' in text


def test_open_incidents_are_counted_by_kind(shop, engine, measured):
    with writing(engine) as connection:
        incidents.open_incident(connection, "drift", "web:X", "differs", now=now())
    assert measured()["onecount_incidents_open drift"] == 1


def exported(client) -> set[str]:
    text = client.get("/metrics").text
    types = re.findall(r"^# TYPE (onecount_\w+) (\w+)", text, re.MULTILINE)
    names = {name + "_bucket" * (kind == "histogram") for name, kind in types}
    return names | {re.sub(r"_created$", "", name) for name in names}


def named(text: str) -> set[str]:
    return set(re.findall(r"\bonecount_\w+", text))


def test_the_dashboard_names_only_what_is_exported(client, shop, engine):
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    queries = [
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    ]

    assert len(queries) >= 15
    for query in queries:
        assert named(query), query
        assert named(query) <= exported(client), query
    spots = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(spots)) == len(spots)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(spots)


def test_the_alerts_name_only_what_is_exported(client, shop, engine):
    told = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    rules = [rule for group in told["groups"] for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8
    for rule in rules:
        assert named(rule["expr"]), rule["alert"]
        assert named(rule["expr"]) <= exported(client), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "warn")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]


ONCE = re.compile(
    r"(?:(?:max|min|absent)(?: by \([\w, ]+\) )?\((?:(?:rate|increase)\()?)?"
    r"(onecount_(?!webhooks)\w+)"
)


def test_what_every_web_reads_from_the_database_is_taken_once(client, shop, engine):
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    told = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    queries = [
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    ]
    queries += [rule["expr"] for group in told["groups"] for rule in group["rules"]]

    bare = {
        query
        for query in queries
        for found in ONCE.finditer(query)
        if found.group() == found.group(1)
    }
    assert bare == set()


def test_a_cause_of_drift_is_counted_from_zero_on(shop, measured):
    """What appears with thirty at once has, as Prometheus sees it, not increased."""
    told = measured()

    for cause in drift.CAUSES:
        assert told[f"onecount_drifts_total web {cause}"] == 0


def test_every_gauge_that_is_exported_is_on_the_dashboard_or_in_an_alert(
    client, shop, engine
):
    text = "".join(path.read_text() for path in MONITORING.iterdir())
    kept_for_queries = {"onecount_channel_last_answer_timestamp_seconds"}
    kept_for_queries.add("onecount_exposed_publications")

    told = named(text) | kept_for_queries
    # A counter is exported without the `_total` by which it is asked for.
    told |= {name.removesuffix("_total") for name in told}
    left = {name.removesuffix("_created") for name in exported(client)} - told
    assert left == set()
