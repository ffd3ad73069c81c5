#!/usr/bin/env bash
# A Slurm on this host alone, for the tests: Debian's slurmctld, slurmd and munge, in a folder of its own.
#
#   slurm.sh install            apt-get install, once; needs root
#   slurm.sh start DIR [NODES]  start munged, slurmctld and a slurmd for each of the nodes n1, n2 … (1 unless given);
#                               wait until all are idle
#   slurm.sh stop DIR           stop those that `start` started, wait until they have gone
#   slurm.sh show DIR           queue, nodes and the ends of all logs, for a report of what went wrong
#
# It needs no systemd, no cgroups and no accounting. Clients find it by SLURM_CONF=DIR/slurm.conf. Nothing outside DIR
# is written, munge's key and socket included, and ports are looked for: several such Slurms, and one of the host's own,
# run side by side. DIR must be short, since it holds sockets, whose names Linux cuts at 108 bytes.
set -euo pipefail

MOST_DIR_BYTES=70
START_SECONDS=60

install() {
    if command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null &&
        command -v sbatch >/dev/null; then return; fi
    [ "$(id -u)" = 0 ] || { echo "not root: cannot install slurmctld, slurmd, munge" >&2; exit 3; }
    command -v apt-get >/dev/null || { echo "no apt-get: cannot install slurmctld, slurmd, munge" >&2; exit 3; }
    exec 9>/run/chejil-slurm-install.lock  # of two checkouts, the second one waits and finds it done
    flock --wait 300 9 || { echo "another installation of Slurm has not ended in 300 s" >&2; exit 4; }
    # The packages' own services would start with a configuration that is not there.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 slurmctld slurmd slurm-client munge >/dev/null
}

# Free ports below those that the system hands out by itself (32768 and above), so that no client takes one meanwhile.
free_ports() {
    python3 - "$1" <<'PYTHON'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    listener = socket.socket()
    try:
        listener.bind(("", random.randrange(20_000, 32_000)))
        held.append(listener)
    except OSError:
        listener.close()
print(*(listener.getsockname()[1] for listener in held))
PYTHON
}

configure() {
    local dir=$1 nodes=$2 number ports
    read -r -a ports < <(free_ports $((nodes + 1)))
    mkdir -p "$dir"/{state,munge}
    # linuxproc follows a task's children by their parents, without cgroups. config_overrides: the nodes have what is
    # written here, whatever the host has; else Slurm drains them. The long timeouts are for busy hosts: by default a
    # task that has not begun in 10 s is queued again, and a slurmd that is not heard of makes its node DOWN.
    # cred_expire: how long a task that is queued again waits.
    cat > "$dir/slurm.conf" <<CONF
ClusterName=chejil
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
MinJobAge=300
BatchStartTimeout=120
MessageTimeout=60
SlurmdTimeout=0
KillWait=5
InactiveLimit=0
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    for number in $(seq "$nodes"); do
        mkdir -p "$dir/n$number"
        echo "NodeName=n$number NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=${ports[$number]}" \
            "CPUs=$((nodes > 1 ? 1 : 2)) RealMemory=4096 State=UNKNOWN" >> "$dir/slurm.conf"
    done
    dd if=/dev/urandom of="$dir/munge/key" bs=1024 count=1 status=none
    chmod 700 "$dir/munge"; chmod 600 "$dir/munge/key"
}

daemons() {
    local dir=$1 nodes=$2 number
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge.pid" \
        --log-file="$dir/munge.log" --seed-file="$dir/munge/seed" || return 1
    slurmctld -f "$SLURM_CONF" || return 1
    for number in $(seq "$nodes"); do slurmd -f "$SLURM_CONF" -N "n$number" || return 1; done
    for _ in $(seq $((START_SECONDS * 5))); do
        if [ "$(sinfo --noheader --Node --format=%T 2>/dev/null | grep -c '^idle$')" = "$nodes" ]; then return; fi
        [ -n "$(running "$dir/slurmctld.pid" "$dir")" ] || return 1  # its port was taken meanwhile
        sleep 0.2
    done
    return 1
}

start() {
    local dir=$1 nodes=${2:-1}
    [ ${#dir} -le $MOST_DIR_BYTES ] || { echo "$dir is too long for sockets: take a folder of $MOST_DIR_BYTES bytes at most" >&2; exit 2; }
    export SLURM_CONF="$dir/slurm.conf"
    for _ in 1 2 3; do
        configure "$dir" "$nodes"
        if daemons "$dir" "$nodes"; then return; fi
        show "$dir" >&2
        stop "$dir"
        rm -rf "$dir/state"
    done
    echo "the nodes did not become idle" >&2
    exit 1
}

# The process of a pid file, if it is ours still: the name of each daemon's configuration stands in its command line.
running() {
    local file=$1 dir=$2 pid
    pid=$(cat "$file" 2>/dev/null) || return 0
    if [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null < "/proc/$pid/cmdline" | grep -qF "$dir/"; then echo "$pid"; fi
}

stop() {
    local dir=$1 file pid
    for file in "$dir"/n*.pid "$dir/slurmctld.pid" "$dir/munge.pid"; do
        pid=$(running "$file" "$dir")
        [ -n "$pid" ] || continue
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 50); do [ -n "$(running "$file" "$dir")" ] || continue 2; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null || true
    done
}

show() {
    local dir=$1 log
    export SLURM_CONF="$dir/slurm.conf"
    timeout 10 squeue --array --states=all 2>&1 | tail -n 30 || true
    timeout 10 scontrol show node 2>&1 || true
    # Slurm complains at each start of an MPI that is not there.
    for log in "$dir"/*.log; do echo "== $log"; grep -vE 'pmix|MPI:' "$log" | tail -n 25 || true; done
}

"$@"
