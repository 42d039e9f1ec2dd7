"""The results as a table in the terminal and as a picture for the documentation."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import pygal
from pygal.style import Style
from rich.console import Console
from rich.table import Table

from tests.benchmarks.measure import Target
from tests.benchmarks.servers import ROOT, TITLES

PICTURE = ROOT / "docs" / "pictures" / "benchmarks.svg"
_FONT = "system-ui, sans-serif"
_RED = "#c2452d"
_MOST = 4
"""Times what must be: no bar is longer."""


def show(targets: Sequence[Target], run: str) -> None:
    """Print the table."""
    console = Console()
    table = Table(title="Onecount, measured", caption=f"{facts()}; {run}")
    for heading in ("what", "must", "measured", "", "in figures"):
        table.add_column(heading, overflow="fold")
    for one in targets:
        colour = "green" if one.met else "red"
        word = "met" if one.met else "missed"
        if one.measured is None:
            colour, word = "yellow", "not measured"
        table.add_row(
            one.name,
            _must(one),
            f"[bold]{_figure(one.measured)}[/bold]",
            f"[{colour}]{word}[/{colour}]",
            one.detail,
        )
    console.print(table)


def draw(targets: Sequence[Target], run: str, path: Path = PICTURE) -> None:
    """Draw each target as a share of what it must be: past the line at 1 is met."""
    rows = _rows(one for one in targets if one.measured is not None)
    style = Style(
        background="#ffffff",
        plot_background="#ffffff",
        colors=("#1f6f54", "#2f5fa5"),
        opacity=".9",
        font_family=_FONT,
        label_font_size=13,
        major_label_font_size=13,
        value_font_size=11,
        value_colors=("#ffffff", "#ffffff"),
        title_font_size=15,
        legend_font_size=13,
    )
    chart = pygal.HorizontalBar(
        style=style,
        title=f"Times what must be (red: missed)\n{facts()}; {run}",
        width=1300,
        height=150 + 44 * len(rows),
        print_values=True,
        legend_at_bottom=True,
        range=(0, _MOST),
        y_labels=range(_MOST + 1),
        y_labels_major=[1],
        js=(),
        truncate_label=-1,
        spacing=6,
        margin_right=40,
    )
    chart.x_labels = [
        f"{name} ({_must(next(iter(row.values())))})" for name, row in rows
    ]
    for title in TITLES.values():
        chart.add(title, [_bar(row.get(title)) for _, row in rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chart.render(is_unicode=False))


def _rows(targets: Iterable[Target]) -> list[tuple[str, dict[str, Target]]]:
    """What was measured → on which database, from the bottom up."""
    rows: dict[str, dict[str, Target]] = {}
    for one in targets:
        name, _, title = one.name.rpartition(", ")
        rows.setdefault(name, {})[title] = one
    return list(reversed(rows.items()))


def busy() -> float:
    """The share of the machine that others use; it bends even ratios."""
    return psutil.cpu_percent(interval=3) / 100


def facts() -> str:
    """The machine and what ran on it."""
    memory = psutil.virtual_memory().total / 2**30
    day = datetime.now(UTC).date().isoformat()
    return (
        f"{day}: {os.cpu_count()} cores, {memory:.0f} GB, {_processor()}, "
        f"Python {platform.python_version()}, Flask {version('flask')}, "
        f"gunicorn {version('gunicorn')}, SQLAlchemy {version('sqlalchemy')}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _share(target: Target) -> float:
    measured = target.measured or 0.0
    if target.at_most:
        return target.must / measured
    return measured / target.must


def _bar(target: Target | None) -> dict[str, object] | None:
    if target is None:
        return None
    bar = {
        "value": min(_share(target), _MOST),
        "label": target.detail,
        "formatter": lambda _: _figure(target.measured),
    }
    return bar if target.met else {**bar, "color": _RED}


def _must(target: Target) -> str:
    return f"{'at most' if target.at_most else 'at least'} {target.must:g}"


def _figure(measured: float | None) -> str:
    if measured is None:
        return "–"
    return f"{measured:.1f}" if measured >= 1 else f"{measured:.3f}"
