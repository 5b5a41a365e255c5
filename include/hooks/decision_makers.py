"""Who may answer questions in Airflow: a task cannot ask the auth manager, so only whom a setting names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf

from include.receivables.views.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Iterator

# Written as the users of SimpleAuthManager are: "1:admin,7:op". It is no Variable: the role Op may edit those, and is
# not to approve.
SETTING = ("quickbooks", "decision_makers")
ADMIN, OP = "admin", "op"


def read_asking(pages_url: str) -> Asking:
    """Tell how questions are asked here; where nobody is known who may answer, nobody is asked."""
    users = list(_users())
    admins = tuple(user for user, role in users if role == ADMIN)
    return Asking(
        ops=tuple(user for user, role in users if role in (OP, ADMIN)), admins=admins, pages_url=pages_url
    )


def _users() -> Iterator[tuple[str, str]]:
    """List the ids of users with their roles."""
    for entry in _setting().split(","):
        user, _, role = entry.strip().partition(":")
        if user and role:
            yield user, role.partition(":")[0].lower()


def _setting() -> str:
    named = str(conf.get(*SETTING, fallback=""))
    is_simple = str(conf.get("core", "auth_manager", fallback="")).endswith(".SimpleAuthManager")
    return (
        str(conf.get("core", "simple_auth_manager_users", fallback="")) if is_simple and not named else named
    )
