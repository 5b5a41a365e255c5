#!/bin/sh
# Replace what runs here by the release that docker-compose.yaml and .env name now, the new beside the old, so that no
# reminder waits: sh include/compose/upgrade.sh, where docker-compose.yaml is. Safe to repeat. See docs/operate.md.
set -eu

# Those that do the work come first: they know what the others will ask for.
beside="airflow-reminder-worker airflow-worker airflow-execution-api airflow-triggerer airflow-scheduler airflow-apiserver"
# Nobody waits for it, and two of it would undo each other's work.
in_place="airflow-dag-processor"

# The schema comes before all of them: who runs still can work with it.
docker compose run --rm airflow-init
for service in $beside $in_place; do
    old=$(docker compose ps --quiet "$service")
    if [ -z "$old" ]; then
        echo "$service does not run on this host."
        continue
    fi
    case " $in_place " in
        *" $service "*) docker compose up --detach --wait --no-deps "$service" ;;
        *)
            count=$(echo "$old" | wc -l)
            docker compose up --detach --wait --no-deps --no-recreate --scale "$service=$((count * 2))" "$service"
            # shellcheck disable=SC2086 # each of them
            docker stop $old
            # shellcheck disable=SC2086
            docker rm $old
            ;;
    esac
done
