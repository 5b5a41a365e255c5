"""Airflow's own API, called in its own process as the user who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from httpx import ASGITransport, AsyncClient

from include.web.rendering import airflow_path

if TYPE_CHECKING:
    from fastapi import Request
    from httpx import Response

    from include.web.security import SignedIn


async def call(request: Request, user: SignedIn, method: str, path: str, **arguments: Any) -> Response:
    """
    Make a call below ``/api/v2``.

    It stays in this process, but goes through all of Airflow's API, so that the user's rights, the checks of what is
    sent and the audit log are Airflow's own.
    """
    transport = ASGITransport(request.scope["airflow_app"], client=request.scope.get("client") or ("", 0))
    async with AsyncClient(
        transport=transport, base_url=f"{request.url.scheme}://{request.url.netloc}"
    ) as airflow:
        return await airflow.request(
            method,
            airflow_path(request, f"api/v2/{path}"),
            headers={"Authorization": f"Bearer {user.token}"},
            **arguments,
        )
