"""
Who asks a page, and what they may do.

* ``GetUserDep`` reads Airflow's own cookie or a bearer token, ``COOKIE_NAME_JWT_TOKEN`` names the cookie, and
  ``API_BASE_URL`` is the path that Airflow is served under. To ask ``/api/v2`` with the token who it belongs to would
  take their place, once Airflow has a route for that.
* ``get_auth_manager`` tells what a user may do, in terms that each auth manager has, with ``ConnectionDetails`` and
  ``DagDetails`` for what it is about. The class of auth managers is public; to get the one in use is not.
* ``BaseUser`` and ``SimpleAuthManagerUser``: the latter's role is asked for, as SimpleAuthManager grants no rights to
  edit roles, by which an administrator is known elsewhere.
"""

from __future__ import annotations

from airflow.api_fastapi.app import API_BASE_URL, get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagDetails
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import GetUserDep

__all__ = [
    "API_BASE_URL",
    "COOKIE_NAME_JWT_TOKEN",
    "BaseUser",
    "ConnectionDetails",
    "DagDetails",
    "GetUserDep",
    "SimpleAuthManagerUser",
    "get_auth_manager",
]
