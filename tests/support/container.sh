#!/bin/sh
# What a container engine does before it runs a program, in namespaces that were made for it:
#   container.sh FOLDER LAYER WORKING_DIRECTORY [tmpfs:TARGET]… [read-only] [SOURCE:TARGET]… -- COMMAND…
set -eu
echo "its namespaces are made"
read -r _ # until it is on the network
exec </dev/null >&2

folder=$1 layer=$2 working_directory=$3
shift 3
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
cp -a "$layer/." "$folder/upper"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
cd "$folder/root"
for place in dev sys; do mount --rbind "/$place" "$place"; done
mount -t proc proc proc
mount -t tmpfs tmpfs dev/shm
enter=:
while [ "$1" != -- ]; do
    source=${1%%:*} target=.${1#*:}
    case $1 in
        read-only) enter="mount -o remount,ro $folder/root" ;;
        tmpfs:*) mkdir -p "$target" && mount -t tmpfs -o mode=1777 tmpfs "$target" ;;
        *)
            mkdir -p "${target%/*}"
            # Its user may not be let in by the folders of this machine above.
            (cd "${target%/*}" && while [ "$PWD" != "$folder/root" ]; do chmod a+rx . && cd ..; done)
            if [ -d "$source" ]; then mkdir -p "$target"; else : >>"$target"; fi
            mount --bind "$source" "$target"
            ;;
    esac
    shift
done
$enter
shift
/usr/bin/hostname "$HOSTNAME"
exec /usr/sbin/chroot . /bin/sh -c 'cd "$0" && exec "$@"' "$working_directory" "$@"
