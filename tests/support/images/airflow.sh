#!/bin/bash
# The entrypoint of apache/airflow: a shell or Python as they are, and else Airflow's own commands.
case "${1:-}" in
    bash | python) exec "$@" ;;
    *) exec airflow "$@" ;;
esac
