"""axe-core, taken from npm once and kept beside the checkout; known by its checksum."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

PACKAGE = "axe-core@4.10.3"
MEMBER = "package/axe.min.js"
SHA256 = "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb"
CACHE = Path(__file__).parents[2] / ".cache" / "axe"
ALL = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
LOOK = {
    "type": "rule",
    "values": [
        *("color-contrast", "scrollable-region-focusable", "target-size"),
        *("button-name", "label", "link-name"),
    ],
}
"""What depends on colours and on what a window has room for."""


LOOK_AT = """async (rules) => {
  const found = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  return { passes: found.passes.length, violations: found.violations };
}"""
"""Only counts what is right: to carry all of it out of the browser takes longer than to
look at the page."""


def violations(page: Page, rules: dict[str, Any] = ALL) -> list[str]:
    """What is hard to use for some, on the page as it is now: rule and place."""
    if not page.evaluate("'axe' in window"):
        page.context.add_init_script(_script())  # for those that are opened next
        page.evaluate(_script())
    found: dict[str, Any] = page.evaluate(LOOK_AT, rules)
    assert found["passes"], "nothing was looked at"
    return [
        f"{rule['id']}: {node['target'][0]}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def _script() -> str:
    kept = CACHE / Path(MEMBER).name
    if not kept.is_file() or _sha256(kept.read_bytes()) != SHA256:
        _download(kept)
    found = kept.read_bytes()
    if _sha256(found) != SHA256:
        pytest.fail(f"{MEMBER} of {PACKAGE} is not the file it was: {_sha256(found)}")
    return found.decode()


def _download(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail(
            f"npm is needed once, to fetch {PACKAGE}; install Node.js, or put "
            f"{kept.name} into {kept.parent}"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    (CACHE.parent / ".gitignore").write_text("*\n")
    # In a folder of its own: two runners may fetch it at the same time.
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        run = subprocess.run(
            [npm, "pack", PACKAGE, "--silent", "--pack-destination", folder],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if run.returncode != 0:
            pytest.fail(f"npm could not fetch {PACKAGE}: {run.stderr.strip()[-500:]}")
        with tarfile.open(Path(folder) / run.stdout.split()[-1]) as packed:
            member = packed.extractfile(MEMBER)
            assert member is not None
            whole = Path(folder) / kept.name
            whole.write_bytes(member.read())
        whole.replace(kept)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
