"""The published Admin schema, taken from npm once and kept beside the checkout.

The package is Shopify's own; the file is known by its checksum, so neither a newer
package nor a broken download passes for it.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_client_schema

PACKAGE = "@shopify/dev-mcp@1.16.0"
MEMBER = "package/dist/data/admin_2026-10.json.gz"
SHA256 = "f3b522f264556925eada700e795e4a002a9cba83444ebcc6c0d724254a0c6593"
CACHE = Path(__file__).parents[2] / ".cache" / "shopify"


def published_schema() -> GraphQLSchema:
    """The Admin API's schema of 2026-10."""
    packed = _packed()
    introspection = json.loads(gzip.decompress(packed))
    # Shopify deprecates a field of an interface; newer graphql-core refuses that.
    return build_client_schema(introspection["data"], assume_valid=True)


def _packed() -> bytes:
    kept = CACHE / Path(MEMBER).name
    if not kept.is_file() or _sha256(kept.read_bytes()) != SHA256:
        _download(kept)
    found = kept.read_bytes()
    if _sha256(found) != SHA256:
        pytest.fail(f"{MEMBER} of {PACKAGE} is not the file it was: {_sha256(found)}")
    return found


def _download(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail(
            f"npm is needed once, to fetch Shopify's schema from {PACKAGE}; install "
            f"Node.js, or put {Path(MEMBER).name} into {kept.parent}"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    (CACHE.parent / ".gitignore").write_text("*\n")
    run = subprocess.run(
        [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(kept.parent)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if run.returncode != 0:
        pytest.fail(f"npm could not fetch {PACKAGE}: {run.stderr.strip()[-500:]}")
    archive = kept.parent / run.stdout.split()[-1]
    with tarfile.open(archive) as packed:
        member = packed.extractfile(MEMBER)
        assert member is not None
        kept.write_bytes(member.read())
    archive.unlink()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
