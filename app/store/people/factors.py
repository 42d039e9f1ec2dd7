"""Second factors: a code of six digits that a person's phone makes, beside the password.

RFC 6238, by pyotp. The secret is sealed; a code is good once; recovery codes are kept
as hashes only, and each is good once too.
"""

import hashlib
import hmac
import json
import secrets
from typing import Final

import pyotp
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.instants import SECOND, Instant
from app.store.tables import users
from app.store.vault import Vault

STEP_SECONDS: Final = 30
DRIFT: Final = (0, -1, 1)
"""Steps that a phone's clock may be off."""
RECOVERY_CODES: Final = 8
ISSUER: Final = "Onecount"


def begin(connection: Connection, vault: Vault, user_id: int) -> None:
    """Make a secret for a person who has none in use; it counts once it is confirmed."""
    sealed = vault.seal(pyotp.random_base32().encode()).decode()
    unused = users.c.id == user_id, users.c.totp_since.is_(None)
    connection.execute(users.update().where(*unused).values(totp_secret=sealed))


def secret_of(vault: Vault, row: RowMapping) -> str | None:
    """A person's secret in plain, to be shown while it is not confirmed."""
    sealed = row["totp_secret"]
    return vault.open(sealed.encode()).decode() if sealed else None


def address(secret: str, email: str) -> str:
    """The `otpauth:` address that an authenticator opens."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def confirm(
    connection: Connection, vault: Vault, user_id: int, code: str, now: Instant
) -> list[str] | None:
    """Use the factor from now on, if the code is right; return the recovery codes, for
    the only time."""
    if not _take_code(connection, vault, _row(connection, user_id), code, now):
        return None
    made = [
        f"{secrets.token_hex(4)}-{secrets.token_hex(4)}" for _ in range(RECOVERY_CODES)
    ]
    values = {"totp_since": now, "recovery": json.dumps([_digest(one) for one in made])}
    connection.execute(users.update().where(users.c.id == user_id).values(**values))
    return made


def check(
    connection: Connection, vault: Vault, user_id: int, code: str, now: Instant
) -> bool:
    """Whether a code of the phone, or a recovery code, is right; it is spent then."""
    row = _row(connection, user_id)
    return _take_code(connection, vault, row, code, now) or _take_recovery(
        connection, row, code
    )


def turn_off(connection: Connection, user_id: int) -> None:
    """Ask this person for the password only."""
    values = {"totp_secret": None, "totp_since": None, "recovery": "[]"}
    connection.execute(users.update().where(users.c.id == user_id).values(**values))


def left(row: RowMapping) -> int:
    """How many recovery codes a person still has."""
    return len(json.loads(row["recovery"]))


def _row(connection: Connection, user_id: int) -> RowMapping:
    found = connection.execute(sa.select(users).where(users.c.id == user_id))
    return found.mappings().one()


def _take_code(
    connection: Connection, vault: Vault, row: RowMapping, code: str, now: Instant
) -> bool:
    secret, digits = secret_of(vault, row), code.replace(" ", "")
    if secret is None or not (digits.isascii() and digits.isdecimal()):
        return False
    seconds = now // SECOND
    for drift in DRIFT:
        right = pyotp.TOTP(secret).at(seconds, counter_offset=drift)
        if hmac.compare_digest(right, digits):
            step = seconds // STEP_SECONDS + drift
            unspent = users.c.id == row["id"], users.c.totp_step < step
            spent = users.update().where(*unspent).values(totp_step=step)
            # Whoever looked over a shoulder comes too late with the same code.
            return connection.execute(spent).rowcount == 1
    return False


def _take_recovery(connection: Connection, row: RowMapping, code: str) -> bool:
    kept, spent = json.loads(row["recovery"]), _digest(code.strip().lower())
    if spent not in kept:
        return False
    rest = json.dumps([one for one in kept if one != spent])
    same = users.c.id == row["id"], users.c.recovery == row["recovery"]
    done = connection.execute(users.update().where(*same).values(recovery=rest))
    return done.rowcount == 1


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
