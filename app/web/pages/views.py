"""Kept filters of `/deliveries`: each person's own."""

from typing import Any

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.store.engine import writing
from app.store.people import views as store
from app.web.hub import hub
from app.web.pages.frame import back, pages
from app.web.pages.look import filters, wanted
from app.web.texts import gettext


@pages.post("/deliveries/views")
def keep_view() -> ResponseReturnValue:
    """Keep the filter by a name."""
    kept = filters(wanted())
    told: dict[str, Any] = dict(kept)
    here = url_for("pages.deliveries", **told)
    name = request.form.get("name", "").replace("\0", "").strip()[: store.LONGEST_NAME]
    if not name or not kept:
        return back(here, gettext("Choose a filter, and give it a name."), "warning")
    with writing(hub().engine) as connection:
        if not store.keep(connection, current_user.id, name, kept):
            return back(
                here, gettext("You keep many already: delete one first."), "warning"
            )
    return back(here, gettext("It is kept as “%(name)s”.", name=name))


@pages.post("/deliveries/views/<int(max=9223372036854775807):view_id>/delete")
def drop_view(view_id: int) -> ResponseReturnValue:
    """Forget a kept filter."""
    with writing(hub().engine) as connection:
        if not store.drop(connection, current_user.id, view_id):
            abort(404)
    return back(url_for("pages.deliveries"), gettext("It is deleted."))
