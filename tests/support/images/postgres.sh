#!/bin/bash
# The entrypoint of the image `postgres`: on an empty volume it makes a cluster and a database, then runs what is mounted.
set -eu
export PGDATA=/var/lib/postgresql/18/docker
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres /var/lib/postgresql /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086 # several arguments
    initdb --username="$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256 \
        ${POSTGRES_INITDB_ARGS:-}
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=" start
    psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc --username="$POSTGRES_USER" --no-password)
    [ "$POSTGRES_DB" = postgres ] || "${psql[@]}" --dbname=postgres --command="create database \"$POSTGRES_DB\""
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sh) . "$file" ;;
            *.sql) "${psql[@]}" --dbname="$POSTGRES_DB" --file="$file" ;;
        esac
    done
    pg_ctl --wait --mode=fast stop
fi
exec "$@" -c listen_addresses='*'
