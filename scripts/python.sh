#!/bin/sh
# Print the Python to build the environment with. The system's own comes first: its PyGObject (and, on Jetson,
# TensorRT) lives in its site-packages.
for python in /usr/bin/python3 python3 python3.12 python3.11 python3.10; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
echo "edge-us needs Python 3.10 or newer; install it, then run: make PYTHON=/path/to/python3" >&2
echo /usr/bin/python3
