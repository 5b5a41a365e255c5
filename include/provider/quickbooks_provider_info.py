"""
What Airflow shows and asks for a connection of the type "QuickBooks".

Airflow knows connection types by installed packages only. The folder beside this file makes Python see one wherever
this folder is on the PYTHONPATH; there is nothing to install.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the package's name and its connection type, as Airflow's schema of providers wants it."""
    return {
        "package-name": "quickbooks-provider",
        "name": "QuickBooks",
        "description": "The Intuit app that companies connect to QuickBooks Online with.",
        "versions": ["1.0.0"],
        "connection-types": [
            {
                "connection-type": "quickbooks",
                "hook-class-name": "include.hooks.quickbooks.QuickBooksHook",
                "hook-name": "QuickBooks",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "port", "schema"],
                    "relabeling": {"login": "Client ID", "password": "Client secret"},
                    "placeholders": {
                        "login": "from the app's keys page at Intuit",
                        "password": "from the app's keys page at Intuit",
                    },
                },
                "conn-fields": _FIELDS,
            }
        ],
    }


_FIELDS: dict[str, Any] = {
    "environment": {
        "label": "Environment",
        "description": "Which of the app's two key pairs the client ID and secret are.",
        "schema": {"type": "string", "enum": ["production", "sandbox"], "default": "production"},
    },
    "redirect_uri": {
        "label": "Redirect URI",
        "description": "As registered with the app: the address of this Airflow and /quickbooks/callback.",
        "schema": {"type": ["string", "null"], "format": "url"},
    },
    "webhook_verifier_token": {
        "label": "Webhook verifier token",
        "description": "Shown at Intuit once the webhook's endpoint is entered: the address of this Airflow and "
        "/quickbooks/webhook.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "tier": {
        "label": "Tier",
        "description": "Of Intuit's App Partner Program. Once it is set, idle companies are read less often where the "
        "reads that a month of it includes would not last.",
        "schema": {"type": ["string", "null"], "enum": ["builder", "silver", "gold", "platinum", None]},
    },
    "monthly_reads": {
        "label": "Reads a month",
        "description": "In place of the tier's, as where more are paid for, or the app is not ours alone.",
        "schema": {"type": ["integer", "null"], "minimum": 1},
    },
    "api_url": {
        "label": "API URL",
        "description": "Only for another QuickBooks than Intuit's, such as the local sandbox.",
        "schema": {"type": ["string", "null"], "format": "url"},
    },
    "discovery_url": {
        "label": "Discovery URL",
        "description": "Likewise: the address of its OAuth discovery document.",
        "schema": {"type": ["string", "null"], "format": "url"},
    },
}
