"""
All of Airflow that is used here and is not its public interface: it may change with any release of Airflow.

``api_server`` is what a page needs to know who asks and what they may do, and ``fab`` is what a role takes that may
have runs of one DAG made and do nothing else. Each says what would take its place. Names alone are passed on: to go to
another Airflow is to run the tests, to mend what fails here, and to write the versions down.
"""

from __future__ import annotations

# What all of them were tried on, by package.
TRIED_ON = {
    "apache-airflow-core": "3.3.2",
    "apache-airflow-providers-fab": "3.10.2",
    "apache-airflow-task-sdk": "1.3.2",
}
