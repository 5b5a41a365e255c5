"""The web app behind the plugin: its routes, what every answer carries, and how errors look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from include.web.errors import add_error_pages
from include.web.headers import BodyLimit, SecurityHeaders
from include.web.rendering import STATIC
from include.web.routes import (
    alerts,
    company,
    connecting,
    dag_run,
    deliveries,
    health,
    integrations,
    mapping,
    proofs,
    reminders,
    webhook,
)
from include.web.security import protect, reading_verdicts, viewing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PAGES = (integrations, alerts, connecting, mapping, company, deliveries, proofs, dag_run)


class WebApp(FastAPI):
    """The app; it remembers which Airflow it is part of, and under which path: what it mounts itself has another."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            scope.update(airflow_app=scope["app"], pages_path=scope["root_path"])
            if scope["path"] == f"{scope['pages_path']}{connecting.CALLBACK}":
                # Airflow's access log, which looks when all is done, would keep the code and the state.
                query, scope["query_string"] = scope["query_string"], b""
                scope = {**scope, "query_string": query, "is_query_secret": True}
        await super().__call__(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Put the headers around everything, the page that says that something broke included."""
        return SecurityHeaders(super().build_middleware_stack())


def create_app() -> FastAPI:
    """Build the app, to be mounted into Airflow's."""
    app = WebApp(
        title="QuickBooks",
        default_response_class=HTMLResponse,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=webhook.saving_refusals,
    )
    for module in PAGES:
        app.include_router(module.router, dependencies=[Depends(protect), Depends(viewing)])
    # The reminder service reads it, which sees no page.
    app.include_router(reminders.router, dependencies=[Depends(protect), Depends(reading_verdicts)])
    # What people see who come from QuickBooks without being signed in to Airflow.
    app.include_router(connecting.landing)
    # Intuit calls it: it proves itself by a signature.
    app.include_router(webhook.router)
    # Uptime monitors ask for it; it names nobody.
    app.include_router(health.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_error_pages(app)
    app.add_middleware(BodyLimit, but=webhook.PATH)
    return app
