"""Whether a Square order is paid. `paid`: what a completed payment about it brought in."""

from typing import Any


def is_paid(order: dict[str, Any], paid: int | None) -> bool:
    due = (order["net_amount_due_money"] or {}).get("amount")
    total = (order["total_money"] or {}).get("amount")
    if order["tenders"] and due == 0:
        return True
    # The payment is news; the order may have been read a moment too early.
    return paid is not None and (total is None or paid >= total)


def is_owed(order: dict[str, Any], paid: int | None) -> bool:
    """Whether nothing was paid yet: who paid a part waits for the goods."""
    due = (order["net_amount_due_money"] or {}).get("amount") or 0
    is_open = order["state"] == "OPEN" and not order["tenders"]
    return is_open and due > 0 and not paid


def amount(payment: dict[str, Any]) -> int:
    """What a payment is about, in the currency's smallest unit."""
    for name in ("total_money", "amount_money"):
        money = payment.get(name)
        if isinstance(money, dict) and isinstance(money.get("amount"), int):
            return int(money["amount"])
    return 0
