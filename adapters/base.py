"""What a provider's module writes, and what it gets.

Step by step, for one webhook: `verify` (in the request, on raw bytes), then in the
worker `document` (only the fields we keep), `normalise` (pure), `fetch` when the
webhook is only a pointer; and for one push `compose` (pure) and `send`.
An adapter never looks anything up: events carry the channel's own ids.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from adapters.addresses import address_problem
from adapters.http import Http
from adapters.keeping import Shape, keep, parse
from adapters.levels import Level
from adapters.signatures import Signature, SignedRequest
from app.domain.channels import Channel, Outcome, Reading, Wish
from app.domain.connecting import Subscribed, TheirItem, TheirPlace
from app.domain.errors import BadConfiguration, MalformedPayload
from app.domain.events import Message, Normalised, Read
from app.domain.instants import Instant


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed at a channel: a message of our own topic, not a webhook."""

    topic: str
    document: Any = None
    """As `Adapter.document` would keep it; None where it is only listed, with `id`."""
    listed_at: Instant | None = None
    """All that changed before then came before; None where nobody can say so."""
    id: str = ""
    """The provider's id of what `Adapter.opened` reads, if it is not known already."""


class Adapter(ABC):
    """One provider. An instance speaks for one channel; class attributes are facts."""

    title: ClassVar[str]
    """The provider's own spelling."""
    docs: ClassVar[str]
    """Its webhook reference."""
    settings: ClassVar[Mapping[str, str]] = {}
    """Allowed channel settings: name → what it is, in words."""
    required_settings: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[Mapping[str, str]] = {}
    """Allowed channel secrets: name → what it is, in words."""
    signature: Signature
    headers: ClassVar[tuple[str, ...]] = ()
    """Headers that are stored with the message, in lower case; never a signature."""
    keeps: ClassVar[Shape]
    """The fields of a webhook's body that are stored. No personal data."""
    publishes: ClassVar[bool] = True
    publishing_needs: ClassVar[tuple[str, ...]] = ()
    """Settings without which a channel may listen but not publish."""
    compares: ClassVar[bool] = False
    """The write is a compare-and-set: `Wish.expected` is used."""
    stamps: ClassVar[bool] = False
    """Writes are ordered by a time we give: `Wish.stamp` is used."""
    reads: ClassVar[bool] = False
    """`read` works: the channel's own numbers can be asked for."""
    ignores: ClassVar[tuple[str, ...]] = ()
    """What its messages tell of orders that another system copied in, as named in
    `app.domain.ignoring`; `normalise` then gives their origin."""
    tells_payment: ClassVar[bool] = False
    """Its orders tell whether they are paid: `placed` has the scope `NOT_PAID` if not."""
    keeps_unpaid: ClassVar[bool] = False
    """Its number falls when an order is paid; else, when it is placed."""
    rereads: ClassVar[bool] = False
    """Its clock ticks whole seconds, so orders are read again when webhooks tie."""
    polls: ClassVar[bool] = False
    """`changes` works: what a lost webhook would have told can be asked for."""
    subscribes: ClassVar[bool] = False
    """`subscribe` works: its webhooks can be registered, checked and mended by us."""
    connects: ClassVar[bool] = False
    """`places`, `items` and `open_orders` work: `onecount connect` can ask for them."""
    batch_limit: ClassVar[int] = 100
    """Wishes in one call, at most."""

    def __init__(self, channel: Channel, http: Http) -> None:
        self.channel = channel
        self.http = http
        http.hide(one for found in channel.secrets.values() for one in found)

    @classmethod
    def check(cls, channel: Channel) -> None:
        """Raise BadConfiguration, naming the field, for a channel that cannot work."""
        for part, given, known in (
            ("setting", channel.settings, cls.settings),
            ("secret", channel.secrets, cls.secrets),
        ):
            for name in given:
                if name not in known:
                    raise BadConfiguration(
                        f"{cls.title} knows no {part} {name!r}; it knows: "
                        f"{', '.join(known) or 'none'}",
                        f"{part}s.{name}",
                    )
        for name, value in channel.settings.items():
            if name.endswith("_url") and (problem := address_problem(value)):
                raise BadConfiguration(f"{name} {problem}", f"settings.{name}")
        for name in cls.required_settings:
            if not channel.settings.get(name):
                raise BadConfiguration(
                    f"{cls.title} needs settings.{name}: {cls.settings[name]}",
                    f"settings.{name}",
                )

    @abstractmethod
    def check_access(self) -> list[str]:
        """Ask the channel something cheap with its credentials; change nothing.

        Returns what is wrong all the same: each one sentence that says what to do.
        Raises RetryLater, GiveUp or CredentialsRefused.
        """

    # -- connecting ----------------------------------------------------------

    def subscribe(self, address: str, *, mend: bool) -> Subscribed:
        """See whether all webhooks we need come to this address; `mend` what does not.

        Raises RetryLater, GiveUp or CredentialsRefused (only when `subscribes`).
        """
        raise NotImplementedError(f"{self.title} has its webhooks set up by hand")

    def places(self) -> list[TheirPlace]:
        """The channel's active locations (only when `connects`)."""
        raise NotImplementedError(f"{self.title} cannot be asked for its locations")

    def items(self) -> Iterator[TheirItem]:
        """Everything the channel sells (only when `connects`)."""
        raise NotImplementedError(f"{self.title} cannot be asked for its items")

    def open_orders(self) -> Iterator[Change]:
        """Every order of which something is still to be shipped, as `changes` would
        tell it (only when `connects`)."""
        raise NotImplementedError(f"{self.title} cannot be asked for its orders")

    def still_counts(self, order: Any) -> str | None:
        """The id of an open order, as `open_orders` tells it, whose units are in the
        channel's number still; None: they left it."""
        return None

    # -- receiving -----------------------------------------------------------

    def verify(self, request: SignedRequest) -> str | None:
        """Raise WebhookRefused unless one of the channel's secrets signed this; return
        which, None where the provider has a key of its own."""
        secrets = tuple(self.channel.secrets.get("webhook") or ())
        return self.scheme().verify(request, secrets)

    def trial(self, at: Instant) -> SignedRequest | None:
        """A webhook as the provider would send it that means nothing, signed with the
        newest secret; None where only the provider can sign."""
        secret = self.channel.secret("webhook")
        if secret is None:
            return None
        body = json.dumps({"type": "onecount.test", "id": f"onecount-{at}"}).encode()
        return SignedRequest(self.scheme().sign(body, secret, at), body, at)

    def scheme(self) -> Signature:
        """How this channel's webhooks are signed; override where it has its own way."""
        return self.signature

    def delivery_id(self, request: SignedRequest) -> str:
        """The provider's id of this delivery; "" where only the body tells it.

        Two deliveries are the same when id and body are.
        """
        return ""

    def topic(self, headers: Mapping[str, str], document: Any) -> str:
        """What the message is about, in the provider's words."""
        found = document.get("type") if isinstance(document, dict) else None
        return found if isinstance(found, str) else ""

    def document(self, body: bytes) -> Any:
        """Parse a body and keep the fields we may; raise MalformedPayload."""
        parsed = parse(body)
        if not isinstance(parsed, dict):
            raise MalformedPayload("body: expected a JSON object")
        return keep(parsed, self.keeps)

    @abstractmethod
    def normalise(self, message: Message) -> Normalised:
        """Say in our words what a message says. Pure: no HTTP, no clock, no database.

        An unknown topic is nothing at all (`ignored` says why); a known topic of the
        wrong shape raises MalformedPayload that names the field, like
        `lines[0].quantity`. When `Normalised.read` is set, `fetch` is called, its
        answer stored as `message.fetched`, and the message is normalised again.
        """

    def fetch(self, message: Message, read: Read) -> Any:
        """Ask the channel for what a message only points at; keep only our fields.

        Raises RetryLater, GiveUp or CredentialsRefused.
        """
        raise NotImplementedError(f"{self.title} has nothing to fetch")

    def reread(self, order: str) -> Read | None:
        """How to read an order again whose webhooks tie; None when it cannot be."""
        return None

    # -- publishing ----------------------------------------------------------

    def compose(self, wishes: Sequence[Wish]) -> Any:
        """The exact variables of one call, as JSON. Pure: equal wishes, equal call."""
        raise NotImplementedError(f"{self.title} publishes nothing")

    def send(self, composed: Any, wishes: Sequence[Wish], key: str) -> list[Outcome]:
        """Make the call, under an idempotency key bound to the exact variables.

        Returns one outcome per wish. Raises RetryLater, GiveUp or CredentialsRefused
        when the call as a whole did not work.
        """
        raise NotImplementedError(f"{self.title} publishes nothing")

    def read(self, wishes: Sequence[Wish]) -> list[Reading]:
        """Ask the channel what it shows for these wishes (only when `reads`)."""
        raise NotImplementedError(f"{self.title} cannot be read")

    def changes(self, since: Instant) -> Iterator[Change]:
        """What changed at the channel since then, oldest first where it can be sorted.

        Where reading each costs a call of its own, they are only listed. Channels that
        cannot tell yield nothing (`polls` is False). What was yielded before an error
        stands.
        """
        yield from ()

    def shown_since(self, since: Instant) -> Iterator[Sequence[Level]]:
        """The numbers that changed since then, whoever changed them, as they are now:
        page by page, each a call, of the locations that the channel is mapped to.

        Channels that cannot tell yield nothing. Raises RetryLater, GiveUp or
        CredentialsRefused.
        """
        yield from ()

    def opened(self, change: Change) -> Any:
        """The document of a change, read where it was only listed; None if it is gone.

        Raises RetryLater, GiveUp or CredentialsRefused.
        """
        return change.document
