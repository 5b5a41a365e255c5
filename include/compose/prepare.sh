#!/bin/sh
# Run by airflow-init before everything else starts: both schemas, the pools and the users. Safe to repeat.
set -eu

# A user that exists is left as it is, its password too.
create_user() {
    airflow users create --role "$1" --username "$2" --password "$3" --email "$4" --firstname "$2" --lastname "$1"
}

# A pool that exists stays as it is: somebody may have resized it.
create_pools() {
    folder=$(mktemp -d)
    airflow pools export "$folder/known.json"
    python - "$1" "$folder/known.json" >"$folder/new.json" <<'END'
import json, sys

ours, known = (json.load(open(name)) for name in sys.argv[1:])
json.dump({name: pool for name, pool in ours.items() if name not in known}, sys.stdout)
END
    airflow pools import "$folder/new.json"
    rm -r "$folder"
}

airflow db migrate
python -m include.migrate
create_pools "$(dirname "$0")/../airflow_pools.json"
create_user Admin "$ADMIN_USERNAME" "$ADMIN_PASSWORD" "$ADMIN_EMAIL"
create_user User reminder "$REMINDER_PASSWORD" "reminder@localhost"
