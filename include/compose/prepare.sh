#!/bin/sh
# Run by airflow-init before everything else starts: the databases, both schemas, the pools, the roles and the users.
# Safe to repeat.
set -eu

here=$(dirname "$0")

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

python -m include.databases
airflow db migrate
python -m include.migrate
create_pools "$here/../airflow_pools.json"
# Permissions can be given for a DAG once it has been read. A role that exists is left as it is.
airflow dags reserialize
airflow roles import "$here/roles.json"
create_user Admin "$ADMIN_USERNAME" "$ADMIN_PASSWORD" "$ADMIN_EMAIL"
create_user Reminder reminder "$REMINDER_PASSWORD" "reminder@localhost"
