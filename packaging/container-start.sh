#!/bin/sh
# What a container starts: edge-us with the words that it was given. Where there is a GPU, the engines of a run are built
# before its first start, with progress; what is there and fits is left alone. EDGE_US_PREBUILD names other networks, and
# `no` leaves it out.
set -eu
networks=${EDGE_US_PREBUILD:-lesion-fast lesion-malignancy}
has_gpu="from edge_us.cuda import probe; raise SystemExit(not isinstance(probe.probe_driver(), probe.DriverInfo))"
if [ "${1:-}" = run ] && [ "$networks" != no ] && python3 -c "$has_gpu"; then
    # shellcheck disable=SC2086  # names, one word each
    edge-us models prebuild $networks >&2 || echo "note: no engines were built; the run goes on without them" >&2
fi
exec edge-us "$@"
