"""The results as a table in the terminal and as a picture for the documentation."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
import pygal
from pygal.style import Style
from rich.console import Console
from rich.table import Table

from tests.benchmarks.measure import Target
from tests.benchmarks.servers import ROOT

PICTURE = ROOT / "docs" / "pictures" / "benchmarks.svg"
_FONT = "system-ui, sans-serif"


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
    """Draw each target as a share of what it must be: past the line is met."""
    targets = [one for one in targets if one.measured is not None]
    style = Style(
        background="#ffffff",
        plot_background="#ffffff",
        colors=("#1f6f54", "#c2452d"),
        font_family=_FONT,
        label_font_size=13,
        value_font_size=13,
        title_font_size=17,
        legend_font_size=13,
    )
    chart = pygal.HorizontalBar(
        style=style,
        title=f"Measured against what must be (1 = just met)\n{facts()}; {run}",
        width=1100,
        height=140 + 62 * len(targets),
        print_values=True,
        legend_at_bottom=True,
        range=(0, max(1.2, *(_share(one) for one in targets)) * 1.05),
        js=(),
        x_title="times the target",
        truncate_label=-1,
    )
    labels = [f"{one.name} ({_must(one)})" for one in reversed(targets)]
    chart.x_labels = labels
    for title, met in (("met", True), ("missed", False)):
        values = [_bar(one) if one.met is met else None for one in reversed(targets)]
        if any(values):
            chart.add(title, values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chart.render(is_unicode=False))


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


def _bar(target: Target) -> dict[str, object]:
    measured = _figure(target.measured)
    return {
        "value": _share(target),
        "label": target.detail,
        "formatter": lambda share: f"{measured}",
    }


def _must(target: Target) -> str:
    return f"{'at most' if target.at_most else 'at least'} {target.must:g}"


def _figure(measured: float | None) -> str:
    if measured is None:
        return "–"
    return f"{measured:.1f}" if measured >= 1 else f"{measured:.3f}"
