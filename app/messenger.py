"""Telling people, by whatever they read: Slack, e-mail, SMS and a hundred others."""

from collections.abc import Callable, Sequence

import apprise


def by_apprise(urls: Sequence[str]) -> Callable[[str, str], bool]:
    """What tells a title and a text to these services, and says whether that worked.

    Their addresses: https://appriseit.com/services/.

    Raises ValueError naming the number of the first URL that is none: it may hold a
    password, so it is not quoted.
    """
    services = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not services.add(url):
            raise ValueError(f"address {number} is none that apprise knows")

    def tell(title: str, text: str) -> bool:
        return bool(services.notify(title=title, body=text))

    return tell
