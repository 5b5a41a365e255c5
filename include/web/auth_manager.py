"""FAB's users and roles, with a role that may have runs of one DAG made and do nothing else."""

from __future__ import annotations

from include.web.airflow_private.fab import (
    RESOURCE_DAG_RUN,
    DagAccessEntity,
    DagDetails,
    FabAuthManager,
    ResourceMethod,
    User,
    resource_name,
)


class ReceivablesFabAuthManager(FabAuthManager):
    """
    FAB's auth manager, but that a run can be made without the right to change its DAG.

    FAB asks for both, and who may change a DAG may pause it. Here it is enough to be allowed to see the DAG and to make
    runs of it by name, ``can_create`` on ``DAG Run:<dag id>``, which none of FAB's own roles has.
    """

    def is_authorized_dag(
        self,
        *,
        method: ResourceMethod,
        user: User,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        """Tell whether a user may do something to a DAG or to a part of one."""
        if super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details):
            return True
        if (method, access_entity) != ("POST", DagAccessEntity.RUN) or details is None or not details.id:
            return False
        makes_runs = self.is_authorized_custom_view(
            method="POST", resource_name=resource_name(details.id, RESOURCE_DAG_RUN), user=user
        )
        return makes_runs and super().is_authorized_dag(method="GET", user=user, details=details)
