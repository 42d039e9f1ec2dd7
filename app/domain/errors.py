"""What can go wrong, as types. The class is the policy: nobody reads message texts.

HubError
├── WebhookRefused            nothing stored; the sender is told 4xx
│   ├── MissingHeader         400
│   ├── InvalidSignature      401
│   └── StaleWebhook          401
├── MalformedPayload          stored, buried with the field named, replayable
├── UnknownName               a SKU, location, channel or listing nobody has told us of
│   └── UnknownChannel        and which channels there are
├── AmbiguousName             several channels have what was named: say which
├── Contradiction             two reports that cannot both be true: a person decides
├── ShortOfUnits              a claim that was refused
├── HoldEnded                 a hold that is over cannot end again
├── NotReversible             a ledger entry that is corrected in another way
├── NoSuchPage                a cursor that did not come from this list
├── BadConfiguration          a channel or file that says something impossible
│   └── KeyMissing            what is stored was sealed with a key that is not here
└── ChannelError              outbound
    ├── RetryLater(after)     429, 5xx, silence
    └── GiveUp                the channel will never accept this
        └── CredentialsRefused   and the channel is paused
"""

from collections.abc import Iterable, Sequence


class HubError(Exception):
    """The root; `str()` is a sentence a person can act on."""


class WebhookRefused(HubError):
    """Nothing was stored. `cause` is the word it is counted under."""

    cause = "refused"


class MissingHeader(WebhookRefused):
    """A header the provider always sends is not there."""

    cause = "missing_header"


class InvalidSignature(WebhookRefused):
    """None of the channel's secrets made this signature."""

    cause = "signature"


class StaleWebhook(WebhookRefused):
    """Signed, but outside the tolerance of the scheme's time stamp."""

    cause = "stale"


class MalformedPayload(HubError):
    """A signed body that does not have the provider's shape; names the field."""


class UnknownName(HubError):
    """Something was named that does not exist here; `field` says where."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownChannel(UnknownName):
    """A channel was named that does not exist; says which do."""

    def __init__(self, key: str, known: Iterable[str]) -> None:
        keys = ", ".join(sorted(known)) or "none yet"
        super().__init__(f"there is no channel {key!r}; known: {keys}", "channel")


class AmbiguousName(HubError):
    """Something was named that several may mean; `field` would say which."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class Contradiction(HubError):
    """Two reports that cannot both be true."""


class ShortOfUnits(HubError):
    """A claim was refused. `short` lists sku, requested and available units."""

    def __init__(self, short: Sequence[dict[str, object]]) -> None:
        names = ", ".join(str(row["sku"]) for row in short)
        super().__init__(f"not enough units of {names}")
        self.short = list(short)


class HoldEnded(HubError):
    """The hold was committed, released or has expired."""


class NotReversible(HubError):
    """A ledger entry that cannot be reversed; says how it is corrected instead."""


class NotOpen(HubError):
    """Nobody is asked about it (any more), or it cannot be decided that way."""


class NoSuchPage(HubError):
    """A list has no page that begins there."""

    def __init__(self) -> None:
        super().__init__("take `next` of the page before, unchanged")


class NotRebuilt(HubError):
    """Levels could not be made anew from the stock events; nothing was changed."""


class BadConfiguration(HubError):
    """A channel, file or row says something impossible; `field` names where.

    `problems` are all that were found, each with its place, where there are several.
    """

    def __init__(
        self,
        message: str,
        field: str | None = None,
        problems: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.field = field
        self.problems = problems or [(field or "", message)]


class KeyMissing(BadConfiguration):
    """What is stored was sealed with a key that is not here: nobody's message is at
    fault, and nothing is lost as long as the key is not."""


class ChannelError(HubError):
    """A call to a channel did not work. `status` is its HTTP status, if it answered."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RetryLater(ChannelError):
    """Try again; `after` seconds at the earliest when the channel said so.

    `unknown` is true when the call may have reached the channel all the same, and
    `timed_out` when it was silence, so that the lane can be called slow. `new_key`: the
    idempotency key is spent, the next call needs another.
    """

    def __init__(
        self,
        message: str,
        *,
        after: float | None = None,
        status: int | None = None,
        unknown: bool = False,
        timed_out: bool = False,
        new_key: bool = False,
    ) -> None:
        super().__init__(message, status=status)
        self.after = after
        self.new_key = new_key
        self.unknown = unknown
        self.timed_out = timed_out


class GiveUp(ChannelError):
    """The channel will never accept this; a person or a new setting must change it."""


class CredentialsRefused(GiveUp):
    """The channel does not accept who we say we are: pause it and tell somebody."""
