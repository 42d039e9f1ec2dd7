"""What a configuration file asks for: plain values, checked by `configuration`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class WantedLocation:
    """One `[[location]]`."""

    code: str
    name: str
    custodian: str | None


@dataclass(frozen=True, slots=True)
class WantedChannel:
    """One `[[channel]]`; secrets in plain."""

    key: str
    provider: str
    base_url: str | None
    settings: Mapping[str, Any]
    secrets: Mapping[str, Sequence[str]] = field(repr=False)
    locations: Mapping[str, str]
    publish: Mapping[str, Any] | None
    authority: Mapping[str, str]
    ships_from: str | None
    ignore: Mapping[str, Sequence[str]]
    orders: Mapping[str, int]
    drift: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file asks for."""

    locations: Sequence[WantedLocation]
    channels: Sequence[WantedChannel]


@dataclass(frozen=True, slots=True)
class Known:
    """What a file may refer to besides itself: what was loaded before."""

    locations: Collection[str] = ()
    channels: Mapping[str, str] = field(default_factory=dict)
    """Key → provider: under one key it stays the same."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a file comes from: what its `env:NAME` and `file:PATH` mean."""

    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    private_addresses: bool = True
    """Whether its channels may be called inside the own network."""
