#!/bin/sh
# What the image runs: a shell, Python or Airflow as they are, and else Airflow's own commands, as in Airflow's image.
case "${1:-}" in
    sh | bash | python | airflow) exec "$@" ;;
    *) exec airflow "$@" ;;
esac
