#!/bin/sh
# Write the databases into a new folder, each as it is at one moment, while everything goes on: backup.sh FOLDER
# Tokens and Airflow's connections are in it as they are kept, encrypted: AIRFLOW_FERNET_KEY has to be kept elsewhere.
set -eu
. "$(dirname "$0")/databases.sh"

[ $# = 1 ] || fail "usage: backup FOLDER"
folder=${1%/}
[ ! -e "$folder" ] || fail "$folder is there already: name a new folder."
umask 077
unfinished=$folder.unfinished
rm -rf "$unfinished"
mkdir -p "$unfinished"
for database in $databases; do
    file=$unfinished/$database.dump
    as_owner_of "$database" pg_dump --no-password --format=custom --lock-wait-timeout=60s --file="$file" ||
        fail "$database was not written: there is no new backup."
done
(cd "$unfinished" && sha256sum -- *.dump >SHA256SUMS)
sync
mv "$unfinished" "$folder"
echo "$folder has them: $(cd "$folder" && du -h -- *.dump | awk '{printf "%s%s %s", comma, $2, $1; comma = ", "}')"
