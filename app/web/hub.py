"""What a view needs from the rest of the hub, made once by `app.factory`."""

from dataclasses import dataclass
from typing import cast

from flask import current_app
from sqlalchemy.engine import Engine

from app.bell import Bell
from app.pipeline.receive import Receiver
from app.store.vault import Vault
from config.settings import Settings

EXTENSION = "onecount"


@dataclass(frozen=True, slots=True)
class Hub:
    """The connections and settings of this process."""

    settings: Settings
    engine: Engine
    vault: Vault
    bell: Bell
    receiver: Receiver


def hub() -> Hub:
    """The hub of the application that serves this request."""
    return cast(Hub, current_app.extensions[EXTENSION])
