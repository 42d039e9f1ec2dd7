"""Secrets of a channel, changed by two people at once."""

import threading
import time

from app.domain.instants import now
from app.pipeline.configuring import rotating
from app.store.configuration import channels
from app.store.engine import reading, writing
from tests.builders import SECRET

FIRST, SECOND = (
    "whsec_Zmlyc3Qgb2YgdHdvIG5ldyBvbmVz",
    "whsec_c2Vjb25kIG9mIHR3byBuZXcgb25lcw==",
)


def test_two_secrets_added_at_once_are_both_accepted(shop, engine):
    shop.channel("web")

    def add(connection, secret):
        at = now()
        about = {"ends_at": None, "actor": "ada", "now": at}
        rotating.rotate(connection, shop.vault, "web", "webhook", secret, **about)

    def add_the_second():
        with writing(engine) as connection:
            add(connection, SECOND)

    other = threading.Thread(target=add_the_second)
    with writing(engine) as connection:
        add(connection, FIRST)
        other.start()
        time.sleep(0.3)  # it has looked, or waits for us
    other.join()

    with reading(engine) as connection:
        found = channels.find(connection, shop.vault, "web")
    assert found.secrets["webhook"] == [SECOND, FIRST, SECRET]
