"""The demo's channels: sandbox servers as processes of their own, and their control."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from signal import SIGTERM
from typing import Any, Self

import requests

from app.procfile import ROOT
from app.tether import tethered

START_SECONDS = 60.0
_READY = "listening on "


class SoldOut(Exception):
    """The channel itself refused a sale: it shows too few."""


class Sandbox:
    """One channel that is not real, in a process of its own."""

    def __init__(self, provider: str, config: Mapping[str, Any], folder: Path) -> None:
        self.provider = provider
        self.config = dict(config)
        self.url = ""
        self._path = folder / f"{config['key']}.json"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it; it ends with us, however we end."""
        self._path.touch(mode=0o600)
        self._path.write_text(json.dumps(self.config))
        command = (
            *(sys.executable, "-m", f"adapters.sandbox.{self.provider}"),
            *("--port", "0", "--config", str(self._path)),
        )
        self._process = subprocess.Popen(
            tethered(command, SIGTERM), cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        return self

    def wait(self) -> Self:
        """Wait until it answers."""
        told: queue.Queue[str] = queue.Queue()
        stream = self._process.stdout if self._process else None
        threading.Thread(
            target=lambda: told.put(stream.readline() if stream else ""), daemon=True
        ).start()
        try:
            line = told.get(timeout=START_SECONDS)
        except queue.Empty:
            line = ""
        if not line.startswith(_READY):
            raise RuntimeError(f"the {self.provider} sandbox did not start")
        self.url = line.removeprefix(_READY).strip()
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
        self._path.unlink(missing_ok=True)

    def do(self, action: str, **body: Any) -> Any:
        """Let something happen there; raise SoldOut when it shows too few."""
        answer = requests.post(f"{self.url}/_sandbox/{action}", json=body, timeout=30)
        if answer.status_code == 409 and answer.json().get("error") == "sold out":
            raise SoldOut
        answer.raise_for_status()
        return answer.json()

    def sell(self, item: str, quantity: int = 1, **more: Any) -> Any:
        """Sell one item; raise SoldOut."""
        return self.do("sell", lines=[{"item": item, "quantity": quantity}], **more)

    def state(self) -> Any:
        """What it shows, and what came and went."""
        return self._told("state")

    def orders(self) -> Any:
        """All that was ever sold there."""
        return self._told("orders")

    def _told(self, what: str) -> Any:
        answer = requests.get(f"{self.url}/_sandbox/{what}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def shows(self, item: str, place: str = "") -> int:
        """The channel's own number."""
        return int(self.state()["stock"].get(item, {}).get(place, 0))
