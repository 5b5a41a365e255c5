# What backup.sh and restore.sh know of the databases. They run where PostgreSQL's own programs are, and find the server
# and the passwords of its users in the variables of docker-compose.yaml.
databases="airflow receivables"

fail() {
    echo "$*" >&2
    exit 1
}

owner_of() {
    [ "$1" = airflow ] && echo airflow || echo receivables_owner
}

# An owner reads each row: what the others may see does not bind it.
as_owner_of() {
    case "$1" in
        airflow) password=$AIRFLOW_DB_PASSWORD ;;
        *) password=$OWNER_DB_PASSWORD ;;
    esac
    _as "$(owner_of "$1")" "$password" "$@"
}

as_admin() {
    _as postgres "$POSTGRES_PASSWORD" postgres "$@"
}

# Nothing secret among the arguments, which everybody on the machine can read: _as USER PASSWORD DATABASE COMMAND…
_as() (
    export PGHOST="${POSTGRES_HOST%:*}" PGPORT="${POSTGRES_HOST##*:}" PGUSER="$1" PGPASSWORD="$2" PGDATABASE="$3"
    export PGOPTIONS="-c client_min_messages=error"
    shift 3
    exec "$@"
)
