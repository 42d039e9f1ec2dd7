"""Reading environment variables: a mapping in, values or complaints out.

environs parses and collects every error; here it learns to read the mapping it is
given instead of the process's own, and secrets from files (`NAME_FILE`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError
from marshmallow import ValidationError

PREFIX = "ONECOUNT_"


class ConfigurationError(Exception):
    """The environment is wrong; `str()` lists every variable and what to do."""


class Reader(Env):
    """environs over a mapping. An empty variable counts as unset."""

    def __init__(self, environ: Mapping[str, str], secrets: frozenset[str]) -> None:
        super().__init__(eager=False, prefix=PREFIX)
        self._mapping = environ
        self._secrets = frozenset(PREFIX + name for name in secrets)

    def _get_value(self, env_key: str, default: Any) -> Any:
        value = self._mapping.get(env_key, "").strip()
        if value:
            return value
        path = self._mapping.get(f"{env_key}_FILE", "").strip()
        if path and env_key in self._secrets:
            return self._from_file(f"{env_key}_FILE", path, default)
        return default

    def _from_file(self, name: str, path: str, default: Any) -> Any:
        try:
            return Path(path).read_text().strip() or default
        except (OSError, UnicodeDecodeError) as error:
            self._errors[name].append(f"{path} cannot be read: {error}")
            return default

    def several(self, name: str) -> tuple[str, ...]:
        """What stands between commas; nothing stands after the last one."""
        words: Any = self.list(name, [])
        return tuple(word.strip() for word in words if word.strip())

    def complain(self, name: str, problem: str) -> None:
        """Add one more thing that is wrong with a variable."""
        self._errors[PREFIX + name].append(problem)

    def finish(self) -> None:
        """Raise ConfigurationError with all complaints, if there are any."""
        try:
            self.seal()
        except EnvValidationError as error:
            raise ConfigurationError(_listed(error.error_messages)) from error


def between(low: float, high: float) -> Callable[[float], None]:
    """Make a validator whose message says the limits."""

    def check(value: float) -> None:
        if not low <= value <= high:
            raise ValidationError(f"must be between {low:,} and {high:,}")

    return check


def _listed(messages: Any) -> str:
    lines = ["The environment is not set up correctly:"]
    for name, problems in sorted(messages.items()):
        lines.extend(f"  {name}: {problem}" for problem in problems)
    lines.append("Every variable is explained in config/env.example.")
    return "\n".join(lines)
