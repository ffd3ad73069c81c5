#!/usr/bin/env bash
# A Ray cluster on this host alone, for the tests; `ray` must be in PATH.
#
#   ray.sh start DIR [NODES]   start a head, and further nodes until there are NODES (1 unless given), of one core each
#                              where there are several, else two; wait until the head knows them all
#   ray.sh show DIR            the ends of the logs that say something
#
# DIR/ray_current_cluster holds the head's host:port. DIR must be short, since it holds sockets. There is no `stop`:
# `ray stop` ends every Ray on the host; keeper.py ends this one.
set -euo pipefail

# No token in the home folder, no statistics sent. A host that is busy or short of memory for other reasons must not
# cost workers or nodes: no killing at 95% of the host's memory, and patience where Ray waits for 30 or 60 seconds.
export RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0 RAY_memory_monitor_refresh_ms=0
export RAY_raylet_start_wait_time_s=90 RAY_worker_register_timeout_seconds=180 RAY_health_check_failure_threshold=30

start() {
    local dir=$1 nodes=${2:-1} number
    # Each node takes ports that are free, of workers too: by default two clusters of a host share 10002 to 19999.
    local common=(--num-cpus=$((nodes > 1 ? 1 : 2)) --memory=4000000000 --object-store-memory=80000000
        --min-worker-port=0 --max-worker-port=0 --node-ip-address=127.0.0.1)
    ray start --head --port=0 --include-dashboard=false --temp-dir="$dir" "${common[@]}"
    for number in $(seq 2 "$nodes"); do
        ray start --address="$(cat "$dir/ray_current_cluster")" "${common[@]}"
    done
}

show() {
    local dir=$1 log
    for log in "$dir"/session_latest/logs/{gcs_server,raylet,raylet.1,runtime_env_agent}.{out,err,log} \
            "$dir"/session_latest/logs/worker*.err; do
        if [ -s "$log" ]; then echo "== $log"; grep -v 'state-dump\|Event stats\| total (' "$log" | tail -n 15 || true; fi
    done
}

"$@"
