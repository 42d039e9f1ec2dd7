"""Telling people, by whatever they read: Slack, e-mail, SMS and a hundred others."""

from collections import deque
from collections.abc import Sequence
from typing import Final

import apprise

KEPT: Final = 50
"""Messages kept for an address that cannot be reached, at most: the oldest go."""


class Messenger:
    """Tells people at several addresses: each hears everything, and once.

    What one could not be told when another heard it is kept, and told later: nobody
    hears a thing again because somebody else cannot be reached.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        """Addresses as apprise writes them: https://appriseit.com/services/.

        Raises ValueError naming the number of the first URL that is none: it may hold a
        password, so it is not quoted.
        """
        self._addresses = [_Address(url, number) for number, url in enumerate(urls, 1)]

    def tell(self, title: str, text: str) -> bool:
        """Tell everybody; whether anybody has heard it. Then the others will."""
        deaf = [one for one in self._addresses if not one.hears(title, text)]
        if len(deaf) == len(self._addresses):
            return False
        for one in deaf:
            one.missed.append((title, text))
        return True

    def again(self) -> None:
        """Tell what somebody could not be told before."""
        for one in self._addresses:
            one.catch_up()


class _Address:
    """One address, and what it has not heard yet."""

    def __init__(self, url: str, number: int) -> None:
        self._service = apprise.Apprise()
        if not self._service.add(url):
            raise ValueError(f"address {number} is none that apprise knows")
        self.missed: deque[tuple[str, str]] = deque(maxlen=KEPT)

    def hears(self, title: str, text: str) -> bool:
        """Tell it, after what it missed; whether that worked."""
        return self.catch_up() and self._notify(title, text)

    def catch_up(self) -> bool:
        """Tell what it missed, in order; whether it has heard everything now."""
        while self.missed and self._notify(*self.missed[0]):
            self.missed.popleft()
        return not self.missed

    def _notify(self, title: str, text: str) -> bool:
        return bool(self._service.notify(title=title, body=text))
