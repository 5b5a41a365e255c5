"""Airflow's own metrics: wherever Airflow sends its figures, StatsD or OpenTelemetry, ours go too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.receivables.views.measures import Measure

# Before each name; Airflow puts its own prefix before that.
PREFIX = "quickbooks"


def send(measures: Iterable[Measure]) -> None:
    """Set a gauge to each figure; what Airflow buffers, it sends when the task ends."""
    takes_tags = _takes_tags()
    for each in measures:
        if takes_tags:
            stats.gauge(f"{PREFIX}.{each.name}", float(each.value), tags=each.tags)
        else:
            stats.gauge(".".join([PREFIX, each.name, *map(_as_name, each.tags.values())]), float(each.value))


def _takes_tags() -> bool:
    """
    Tell whether figures that differ by their tags alone are kept apart.

    Plain StatsD drops tags: all companies' figures would be one. There they become part of the name, as in Airflow's
    own names for it.
    """
    is_statsd = conf.getboolean("metrics", "statsd_on", fallback=False)
    has_tags = any(
        conf.getboolean("metrics", name, fallback=False)
        for name in ("statsd_influxdb_enabled", "statsd_datadog_enabled")
    )
    return has_tags or not is_statsd


def _as_name(tag: str) -> str:
    # A dot would begin another level of the name.
    return stats.normalize_name_for_stats(tag, log_warning=False).replace(".", "__")
