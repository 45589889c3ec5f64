#!/bin/sh
# cluster.sh - a Slurm of two "nodes" on this machine, for tests
#
#   cluster.sh up DIR      start munged, slurmctld and a slurmd for n1 and n2, of 4 CPUs each; then
#                          export SLURM_CONF=DIR/slurm.conf
#   cluster.sh down DIR    stop them, whatever state they are in
#
# All they write is under DIR, and they listen on the loopback alone, from port SLURM_BASE_PORT on
# (a free one if unset).  Needs root (slurmd does), Debian's slurm-wlm and munge; neither systemd nor
# cgroups.  Partition `urgent` preempts jobs of `main` and requeues them.
PATH=$PATH:/usr/sbin:/sbin

wait_until() { # tenths command...
  n=$1 && shift
  while [ "$n" -gt 0 ]; do
    "$@" && return
    sleep 0.1 && n=$((n - 1))
  done
  return 1
}

is_alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
are_gone() { for p in $pids; do ! is_alive "$p" || return 1; done; }
are_idle() { [ "$(sinfo -h -N -p main -o %T 2>/dev/null | grep -c '^idle')" = 2 ]; }

signal_all() { for p in $pids; do kill "-$1" "$p" 2>/dev/null; done; }

down() {
  pids=$(cat "$dir"/pid/*.pid 2>/dev/null) # they remove these long before they end
  signal_all TERM
  wait_until 100 are_gone || signal_all KILL
  rm -rf "$dir/pid"
}

write_conf() { # base_port
  cat >"$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$1
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its old credential has expired: 121 s unless told otherwise.
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
TmpFS=$dir/tmp/%n
SlurmctldPidFile=$dir/pid/slurmctld.pid
SlurmdPidFile=$dir/pid/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
ReturnToService=2
MinJobAge=3600
KillWait=5
# Nodes may claim more than the machine has.
SlurmdParameters=config_overrides
NodeName=n[1-2] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[$(($1 + 1))-$(($1 + 2))] CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF State=UP
CONF
  # slurmd asks for a plugin that exists, even if nothing uses it.
  echo CgroupPlugin=cgroup/v1 >"$dir/cgroup.conf"
}

up() {
  rm -rf "$dir"/*
  for d in pid log munge state spool/n1 spool/n2 tmp/n1 tmp/n2; do mkdir -p "$dir/$d"; done
  chmod 755 "$dir" "$dir/munge"
  (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
  munged --force --num-threads=2 --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
    --pid-file="$dir/pid/munged.pid" --log-file="$dir/log/munged.log" \
    --seed-file="$dir/munge/seed" 2>"$dir/log/munged.err" || return
  write_conf "${SLURM_BASE_PORT:-$((10000 + $$ % 20000))}"
  export SLURM_CONF="$dir/slurm.conf"
  slurmctld -c -i && slurmd -N n1 && slurmd -N n2 && wait_until 300 are_idle
}

mkdir -p "$2" && dir=$(cd "$2" && pwd) || exit
case $1 in
up)
  up && exit
  tail -n 15 "$dir"/log/* >&2
  down
  exit 1
  ;;
down) down ;;
*) echo "usage: cluster.sh up|down DIR" >&2 && exit 2 ;;
esac
