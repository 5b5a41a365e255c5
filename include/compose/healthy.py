"""``python -m include.compose.healthy``: whether a part of Airflow is well, for a container's health check."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
import urllib.request

from include.sql import load

# Less than the health check's own limit, so that what is wrong is told.
PATIENCE = 10


def answers(url: str) -> bool:
    """Tell whether a URL is answered; what it does not serve raises an error."""
    with urllib.request.urlopen(url, timeout=PATIENCE):  # noqa: S310
        return True


def database_answers() -> bool:
    """Tell whether Airflow's database lets this part in; that it does not raises an error."""
    import psycopg

    with psycopg.connect(os.environ["AIRFLOW_CONN_AIRFLOW_DB"]):
        return True


def job_is_alive(job_type: str) -> bool:
    """Tell whether this host's job of a type has lately told Airflow's database that it is alive."""
    import psycopg

    with psycopg.connect(os.environ["AIRFLOW_CONN_AIRFLOW_DB"]) as database:
        asked = {"job_type": job_type, "hostname": os.environ["HOSTNAME"]}
        return database.execute(load("airflow/find_living_jobs"), asked).fetchone() is not None


def worker_answers() -> bool:
    """Tell whether this host's Celery worker answers what Redis hands on."""
    from celery import Celery  # type: ignore[import-untyped]

    app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    if os.environ["AIRFLOW__CELERY__SSL_ACTIVE"] == "True":
        ca = os.environ["AIRFLOW__CELERY__SSL_CACERT"]
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": ca}
    return bool(app.control.inspect([f"celery@{os.environ['HOSTNAME']}"], timeout=PATIENCE).ping())


def main() -> int:
    """Check all that the command line names; what is not well says so by its error, or by the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.compose.healthy", description=__doc__)
    parser.add_argument("--url", help="is answered")
    parser.add_argument("--database", action="store_true", help="Airflow's database lets it in")
    parser.add_argument("--job", help="this host's job of that type is alive")
    parser.add_argument("--worker", action="store_true", help="this host's Celery worker answers")
    asked = parser.parse_args()
    checks = [
        asked.url is None or answers(asked.url),
        not asked.database or database_answers(),
        asked.job is None or job_is_alive(asked.job),
        not asked.worker or worker_answers(),
    ]
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
