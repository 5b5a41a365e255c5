#!/bin/sh
# Put the databases back to what a backup has: restore.sh FOLDER
# Each is made anew beside the one in use, and all take their places at once when they are whole: what fails or is
# killed before changes nothing. Those that were in use are kept under other names.
set -eu
. "$(dirname "$0")/databases.sh"

ask() {
    as_admin psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"
}

[ $# = 1 ] || fail "usage: restore FOLDER"
folder=${1%/}
for database in $databases; do
    [ -f "$folder/$database.dump" ] || fail "$folder is no backup: it has no $database.dump."
done
(cd "$folder" && sha256sum --check --quiet SHA256SUMS) || fail "$folder is damaged: take another backup."
users=$(ask <<END
select string_agg(distinct concat_ws(' of ', usename, host(client_addr)), ', ')
from pg_stat_activity
where datname in ($(printf "'%s', " $databases)'')
END
)
[ -z "$users" ] || fail "The databases are in use by $users: stop Airflow and Peakflo's service first."

for database in $databases; do
    ask <<END
drop database if exists ${database}_restored with (force);
create database ${database}_restored owner $(owner_of "$database");
revoke all on database ${database}_restored from public;
END
    as_owner_of "$database" pg_restore --no-password --exit-on-error --single-transaction \
        --dbname="${database}_restored" "$folder/$database.dump" ||
        fail "$database could not be restored: nothing has changed."
    # The first questions would otherwise be answered by reading everything.
    as_owner_of "$database" psql --no-psqlrc --quiet --dbname="${database}_restored" --command=analyze
done
suffix=_$(date -u +%Y%m%d_%H%M%S)
ask <<END
begin;
$(for database in $databases; do cat <<SWAP
select 'alter database $database rename to $database$suffix' from pg_database where datname = '$database' \gexec
alter database ${database}_restored rename to $database;
SWAP
done)
commit;
END
echo "The databases are as they were in $folder; those before are $(for database in $databases; do printf '%s ' "$database$suffix"; done)until somebody drops them."
