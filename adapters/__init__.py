"""One module per provider, found by its name: no list to keep.

A module here is an adapter when it ends with `adapter = <class>`.
"""

import importlib
import pkgutil
from functools import cache

from adapters.base import Adapter
from app.domain.errors import BadConfiguration

_ROOMS = {
    *("addresses", "allowance", "base", "checks", "deadline", "http", "keeping"),
    *("levels", "shapes", "signatures", "wire"),
}


@cache
def names() -> tuple[str, ...]:
    """The providers there are, in alphabetical order."""
    found = (module for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(sorted(module.name for module in found if module.name not in _ROOMS))


def get(provider: str) -> type[Adapter]:
    """The adapter class of a provider; raise BadConfiguration for an unknown one."""
    if provider not in names():
        known = ", ".join(names())
        raise BadConfiguration(f"no provider {provider!r}; known: {known}", "provider")
    found: type[Adapter] = importlib.import_module(f"adapters.{provider}").adapter
    if not issubclass(found, Adapter):
        raise TypeError(f"adapters.{provider}.adapter is not an Adapter")
    return found
