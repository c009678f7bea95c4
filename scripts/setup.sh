#!/bin/sh
# Install what is missing: system packages through apt, then the environment. Usage: setup.sh PYTHON VENV
set -eu
python=$1
venv=$2
here=$(cd "$(dirname "$0")/.." && pwd)

packages="python3-venv python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-rtsp-server-1.0
gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
gstreamer1.0-libav gstreamer1.0-x"
# Only the tests need these: screens without a monitor, and a way to look at them.
[ "${CI:-}" = "" ] || packages="$packages xvfb x11-apps weston"

# Another apt may be at work, and a mirror may fail once.
patient="-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $packages; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
else
    echo "note: this is not Debian or Ubuntu; make sure that GStreamer 1.20+ and PyGObject are installed" >&2
fi
if [ -n "$missing" ]; then
    install="apt-get install -y --no-install-recommends$missing"
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "error: system packages are missing and this user may not install them" >&2
        echo "hint: run this once, then make again: sudo apt-get update && sudo $install" >&2
        exit 6
    fi
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    $as_root apt-get $patient update -qq
    # shellcheck disable=SC2086
    $as_root $install $patient -qq >/dev/null
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "error: $python is older than 3.10 or missing" >&2
    echo "hint: make PYTHON=/path/to/python3.10" >&2
    exit 6
fi
[ -x "$venv/bin/python" ] || "$python" -m venv --system-site-packages "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade pip
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e "$here[dev]"

if ! "$venv/bin/python" -c 'import gi; gi.require_version("Gst", "1.0"); from gi.repository import Gst' 2>/dev/null; then
    # Another Python than the system's: build PyGObject for it (3.51 and later need a newer girepository).
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        apt-get install -y -qq $patient --no-install-recommends libgirepository1.0-dev libcairo2-dev pkg-config gcc >/dev/null
    fi
    if ! "$venv/bin/python" -m pip install --quiet "PyGObject>=3.42,<3.51"; then
        echo "error: PyGObject cannot be built for $python" >&2
        echo "hint: sudo apt-get install libgirepository1.0-dev libcairo2-dev pkg-config gcc, or use the system's Python" >&2
        exit 6
    fi
fi
