"""The first login: checked with all other settings, before anything is started."""

from typing import Any

from config.reading import Reader

SHORTEST_PASSWORD = 10
"""As the logins themselves ask for."""


def first_login(env: Reader) -> dict[str, Any]:
    """The address and password of whoever may come in first; None where unset."""
    email: Any = env.str("ADMIN_EMAIL", None)
    password: Any = env.str("ADMIN_PASSWORD", None)
    name, _, host = (email or "").rpartition("@")
    if email and (not name or not host or any(map(str.isspace, email))):
        env.complain("ADMIN_EMAIL", "must be an e-mail address")
    if password and len(password) < SHORTEST_PASSWORD:
        env.complain("ADMIN_PASSWORD", f"needs at least {SHORTEST_PASSWORD} characters")
    return {"admin_email": email, "admin_password": password}
