"""`onecount export`: what goes out can come back in, and harms no spreadsheet."""

import csv
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.instants import MINUTE, iso, now
from tests.builders import JACKET, order, sale


@pytest.fixture
def shop(hub):
    hub.locations("downtown", "depot")
    hub.channel("web", mapped={"downtown": "1", "depot": "2"}, publish={})
    hub.sku(JACKET)
    hub.listing("web", JACKET, "jacket-ext")
    hub.count(JACKET, "downtown", 10)
    return hub


def rows(said) -> list[list[str]]:
    assert said.exit_code == 0, said.output
    return list(csv.reader(said.stdout.splitlines()))


def test_what_is_exported_can_be_imported(onecount, write, shop, ask, tmp_path) -> None:
    before = ask("SELECT sku, name, barcode FROM skus")
    for what in ("skus", "listings", "counts"):
        path = str(tmp_path / f"{what}.csv")
        assert f"1 lines written to {path}" in onecount("export", what, path).output
        again = onecount("import", what, path)
        assert again.exit_code == 0, again.output
    assert ask("SELECT sku, name, barcode FROM skus") == before
    assert shop.level(JACKET) == {"available": 10}


def test_what_is_oversold_can_be_imported_and_is_no_count(
    onecount, write, shop, ask, tmp_path
) -> None:
    shop.tell("web", sale("2", "jacket-ext", 12, at=now(), location="1"))
    path = tmp_path / "counts.csv"
    assert onecount("export", "counts", str(path)).exit_code == 0
    assert f"{JACKET},downtown,-2," in path.read_text()

    again = onecount("import", "counts", str(path))

    assert again.exit_code == 0, again.output
    assert shop.level(JACKET) == {"available": -2}
    assert len(ask("SELECT id FROM checkpoints")) == 1, "the one of before"
    counted = path.read_text().replace(",-2,", ",-1,", 1)
    refused = onecount("import", "counts", write("changed.csv", counted))
    assert "line 2: quantity '-1' is not a whole number" in refused.output


def test_stock_is_told_by_location_and_promises_without_one(onecount, shop) -> None:
    shop.tell("web", order("1", "jacket-ext", 2, at=now()))
    shop.tell("web", sale("2", "jacket-ext", 1, at=now(), location="1"))

    header, *lines = rows(onecount("export", "stock"))

    told = [dict(zip(header, line, strict=True)) for line in lines]
    assert [(one["location"], one["available"], one["committed"]) for one in told] == [
        ("downtown", "9", "0"),
        ("", "-2", "2"),
    ]


def test_the_past_can_be_exported(onecount, shop) -> None:
    before = iso(now() - MINUTE)
    shop.tell("web", sale("2", "jacket-ext", 1, at=now(), location="1"))

    assert rows(onecount("export", "counts", "--at", before))[1] == [
        *(JACKET, "downtown", "10"),
        before,
        "",
    ]
    assert rows(onecount("export", "counts"))[1][2] == "9"
    assert len(rows(onecount("export", "ledger", "--at", before))) == 2
    ledger = rows(onecount("export", "ledger"))
    assert len(ledger) == 3
    assert dict(zip(*(ledger[0], ledger[2]), strict=True))["kind"] == "shipped"


def test_no_cell_is_a_formula_and_names_survive(onecount, write, ask, tmp_path) -> None:
    names = ["=1+1", "+44", "-5", "@SUM(A1)", "'quoted", "plain"]
    text = "".join(f'"{name}","{name}"\n' for name in names)
    onecount("import", "skus", write("a.csv", f"sku,name\n{text}"))

    path = str(tmp_path / "out.csv")
    onecount("export", "skus", path)

    with open(path, encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert onecount("import", "skus", path).exit_code == 0
    found = {row[0] for row in ask("SELECT sku FROM skus")}
    assert found == set(names)


def test_a_time_without_a_zone_is_refused(onecount) -> None:
    said = onecount("export", "stock", "--at", "yesterday")

    assert said.exit_code == 2
    assert "not a time with its zone" in said.output


@pytest.mark.parametrize(
    "command", [("export", "skus"), ("connect", "shopify", "--key", "web", "--write")]
)
def test_a_file_that_cannot_be_written_is_refused_first(
    onecount, tmp_path, command
) -> None:
    said = onecount(*command, str(tmp_path / "nowhere" / "x.csv"))

    assert said.exit_code == 2
    assert f"there is no folder {tmp_path}/nowhere to write to" in said.output


def test_a_file_is_replaced_by_a_whole_one_only(onecount, write, tmp_path) -> None:
    kept = write("skus.csv", "last night's")
    empty = tmp_path / "empty"
    empty.mkdir()

    said = onecount("export", "skus", kept, ONECOUNT_DATA_DIR=str(empty))

    assert said.exit_code == 1
    assert "no such table: skus" in said.output
    assert Path(kept).read_text() == "last night's"


def test_a_disk_that_fills_up_leaves_the_file_that_was_there(
    onecount, shop, write, monkeypatch, tmp_path
) -> None:
    kept = write("skus.csv", "last night's")

    def stop_halfway(whole, out) -> None:
        out.write(whole.read(9))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", stop_halfway)
    said = onecount("export", "skus", kept)

    assert said.exit_code == 1
    assert "there is no room for what was to be written" in said.output
    assert Path(kept).read_text() == "last night's"
    assert list(tmp_path.glob(".*")) == []


def test_a_pipe_and_what_a_link_leads_to_are_written_where_they_are(
    environ, onecount, shop, write, tmp_path
) -> None:
    command = [sys.executable, "-m", "app.cli", "export", "skus", "/dev/stdout"]
    said = subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, check=True
    )
    assert said.stdout.startswith(b"sku,name,barcode")

    kept, link = Path(write("kept.csv", "last night's")), tmp_path / "link.csv"
    kept.chmod(0o640)
    link.symlink_to(kept)
    assert onecount("export", "skus", str(link)).exit_code == 0
    assert link.is_symlink()
    assert kept.read_text().startswith("sku,name,barcode")
    assert kept.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("file", [(), ("/dev/full",)], ids=["out", "file"])
def test_a_full_disk_is_said_in_words(environ, shop, file) -> None:
    command = [sys.executable, "-m", "app.cli", "export", "skus", *file]
    with Path("/dev/full").open("wb") as full:
        said = subprocess.run(
            command,
            env={**os.environ, **environ},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert said.returncode == 1
    assert said.stderr == "Error: there is no room for what was to be written\n"


def test_a_file_that_is_no_database_is_said_in_words(onecount, write) -> None:
    write("onecount.db", b"no database" * 1000)

    said = onecount("export", "skus")

    assert said.exit_code == 1
    assert "restored from a backup (file is not a database)" in said.output
