"""
FAB's auth manager, to be changed in one respect; apart from ``api_server``, as Airflow loads it with every command.

All of it would go with a FAB that asks for no more than ``can_create`` on ``DAG Run:<dag id>`` where somebody has a run
of a DAG made. ``resource_name`` and ``RESOURCE_DAG_RUN`` say how FAB calls that right, the others what is passed along.
"""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.www.security.permissions import RESOURCE_DAG_RUN, resource_name

__all__ = [
    "RESOURCE_DAG_RUN",
    "DagAccessEntity",
    "DagDetails",
    "FabAuthManager",
    "ResourceMethod",
    "User",
    "resource_name",
]
