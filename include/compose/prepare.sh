#!/bin/sh
# Run by airflow-init before everything else starts: the databases, both schemas, the pools and the users. Safe to repeat.
set -eu

# A user that exists is left as it is, its password too.
create_user() {
    airflow users create --role "$1" --username "$2" --password "$3" --email "$4" --firstname "$2" --lastname "$1"
}

python -m include.databases
airflow db migrate
python -m include.migrate
airflow pools import "$(dirname "$0")/../airflow_pools.json"
create_user Admin "$ADMIN_USERNAME" "$ADMIN_PASSWORD" "$ADMIN_EMAIL"
create_user User reminder "$REMINDER_PASSWORD" "reminder@localhost"
