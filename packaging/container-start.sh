#!/bin/sh
# What a container starts: edge-us with the words that it was given. Where there is a GPU, the engines of the networks
# that these words ask for are built before the first start, with progress; what is there and fits is left alone.
# EDGE_US_PREBUILD=no leaves that out; names in it build those networks instead.
set -eu
networks=${EDGE_US_PREBUILD:-}
has_gpu="from edge_us.cuda import probe; raise SystemExit(not isinstance(probe.probe_driver(), probe.DriverInfo))"
if [ "${1:-}" = run ] && [ "$networks" != no ] && python3 -c "$has_gpu"; then
    note="note: engines are missing; the run goes on without them, or ends where --backend tensorrt needs them"
    if [ -n "$networks" ]; then
        # shellcheck disable=SC2086  # names, one word each
        edge-us models prebuild $networks >&2 || echo "$note" >&2
    else
        (shift && exec edge-us run --build-only "$@") >&2 || echo "$note" >&2
    fi
fi
exec edge-us "$@"
