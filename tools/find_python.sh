#!/bin/sh
# Prints the path of a Python that can make our virtual environment, or says in one sentence what is missing.
# PYTHON=... in the environment names the one to use.

unfit=""
for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    python=$(command -v "$name" 2>/dev/null) || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
    if "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        echo "$python"
        exit 0
    fi
    unfit=${unfit:-$python}
done

if [ -n "$unfit" ]; then
    version=$("$unfit" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$unfit cannot make a virtual environment, as its ensurepip module is missing:" \
        "install it (on Debian and Ubuntu: apt-get install python$version-venv) and try again." >&2
else
    echo "Python 3.11 or newer is needed and ${PYTHON:-python3} is not it:" \
        "install it, or name it (make PYTHON=/path/to/python3.11 ...), and try again." >&2
fi
exit 1
