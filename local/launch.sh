#!/bin/sh
# Find a Python that is new enough and hand over to it: launch.sh COMMAND [ARGUMENT…]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH # each would change or slow down every process below

suits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null
}

for python in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
    if suits "$python"; then
        exec "$python" "$here/bootstrap.py" "$@"
    fi
done
echo "No Python 3.11 to 3.14 was found on the PATH; install one, or name it with PYTHON=/path/to/python3." >&2
exit 1
