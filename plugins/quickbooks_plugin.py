"""The pages about QuickBooks inside Airflow's UI."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/quickbooks"


class QuickBooksPlugin(AirflowPlugin):
    """Register the web app, its entry in Airflow's navigation, and a tab of each run."""

    name = "quickbooks"
    # Paths without a leading slash: Airflow's pages have a <base> that knows the path that Airflow is served under.
    external_views = [
        {
            "name": "QuickBooks",
            "href": "quickbooks/",
            "url_route": "quickbooks",
            "destination": "nav",
            "nav_top_level": True,
            "icon": "quickbooks/static/icon-light.svg",
            "icon_dark_mode": "quickbooks/static/icon-dark.svg",
        },
        {
            "name": "QuickBooks companies",
            "href": "quickbooks/runs/{DAG_ID}/{RUN_ID}",
            "url_route": "quickbooks-companies",
            "destination": "dag_run",
            "icon": "quickbooks/static/icon-light.svg",
            "icon_dark_mode": "quickbooks/static/icon-dark.svg",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app; built only where Airflow asks for it, which is in the API server."""
        from include.web.app import create_app

        return [{"name": "QuickBooks", "app": create_app(), "url_prefix": URL_PREFIX}]
