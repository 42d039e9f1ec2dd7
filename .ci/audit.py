"""Ask for known vulnerabilities in a lock file: `python .ci/audit.py LOCK`.

pip-audit alone says "no known vulnerabilities" also when it could ask about nothing,
as behind a closed network. This says which it was. Exit status 1: some were found.
"""

import json
import subprocess
import sys


def main(lock: str) -> int:
    """Audit one lock file and say in one line what came of it."""
    asked = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--requirement", lock]
        + ["--disable-pip", "--require-hashes", "--format", "json"]
        + ["--progress-spinner", "off", "--timeout", "20"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (asked.stderr.strip().splitlines() or ["no answer"])[-1]
        return say(f"NOT AUDITED: the advisory service cannot be asked: {reason}")
    answered = [package for package in packages if "vulns" in package]
    bad = [package for package in answered if package["vulns"]]
    for package in bad:
        names = ", ".join(found["id"] for found in package["vulns"])
        say(f"{package['name']} {package['version']}: {names}")
    if bad:
        say(f"VULNERABLE: {len(bad)} of {len(packages)} packages in {lock}")
        return 1
    if len(answered) < len(packages):
        missing = len(packages) - len(answered)
        return say(
            f"NOT AUDITED: the advisory service said nothing about {missing} of "
            f"{len(packages)} packages in {lock} (is the network closed?)"
        )
    return say(f"Audited {lock}: none of {len(packages)} packages is known vulnerable.")


def say(line: str) -> int:
    """Write a line; the status of saying something is 0."""
    sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
