#!/usr/bin/env bash
# A Slurm of one node on this host, for the tests: Debian's slurmctld, slurmd and munge, in a folder of its own.
#
#   slurm.sh install      apt-get install, once; needs root
#   slurm.sh start DIR    write DIR/slurm.conf and a munge key, start the three daemons, wait until the node is idle
#   slurm.sh stop DIR     stop those that `start` started
#
# It needs no systemd, no cgroups and no accounting. Clients find it by SLURM_CONF=DIR/slurm.conf. Nothing outside DIR
# is written, but munge's socket has its place in DIR too, so that a munge of the host's own is left alone.
set -euo pipefail

install() {
    if command -v slurmctld slurmd munged sbatch >/dev/null; then return; fi
    [ "$(id -u)" = 0 ] || { echo "not root: cannot install slurmctld, slurmd, munge" >&2; exit 3; }
    command -v apt-get >/dev/null || { echo "no apt-get: cannot install slurmctld, slurmd, munge" >&2; exit 3; }
    # The packages' own services would start with a configuration that is not there.
    printf '#!/bin/sh\nexit 101\n' > /tmp/policy-rc.d.$$ && chmod +x /tmp/policy-rc.d.$$
    [ -e /usr/sbin/policy-rc.d ] || { mv /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

configure() {
    local dir=$1
    mkdir -p "$dir"/{state,spool,munge}
    # One node with this host's cores; linuxproc follows a task's children by their parents, without cgroups.
    cat > "$dir/slurm.conf" <<CONF
ClusterName=chejil
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=1,sched_interval=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
MinJobAge=300
KillWait=5
InactiveLimit=0
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=4096 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    dd if=/dev/urandom of="$dir/munge/key" bs=1024 count=1 status=none
    chmod 700 "$dir/munge"; chmod 600 "$dir/munge/key"
}

start() {
    local dir=$1
    configure "$dir"
    export SLURM_CONF="$dir/slurm.conf"
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF" -N "$(hostname -s)"
    for _ in $(seq 60); do
        if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then return; fi
        sleep 0.5
    done
    tail -n 20 "$dir"/slurmctld.log "$dir"/slurmd.log >&2
    echo "the node did not become idle" >&2
    exit 1
}

stop() {
    local dir=$1 file
    for file in "$dir/slurmd.pid" "$dir/slurmctld.pid" "$dir/munge/pid"; do
        if [ -s "$file" ]; then kill "$(cat "$file")" 2>/dev/null || true; fi
    done
}

"$@"
