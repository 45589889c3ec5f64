#!/bin/sh
# check_slurm.sh - every script of jobscripts/ under a real Slurm of two nodes        timeout: 600, alone
#
# tests/slurm/cluster.sh starts it.  A calibration on both nodes is put back into the queue by a job
# that preempts it, by a failing node and by a signal to its batch script, and must end with the bytes
# of an undisturbed run on one rank.  Another one comes to its time limit and is requeued before.  A sweep in four parts loses two
# of them, one cancelled and one killed, and is completed by the same command, to the bytes of a
# sweep in one run.  A chain whose calibration is cancelled is taken up by the same command, and ends
# with its pictures although its calibration is requeued on the way.
tmp=${TEST_TMP:?}
cluster=tests/slurm/cluster.sh
PATH=$PATH:/usr/sbin:/sbin

if [ "$(id -u)" -ne 0 ]; then
  echo "skip Slurm (not root)" && exit
fi
for program in munged slurmctld slurmd sbatch; do
  command -v $program >/dev/null || { echo "skip Slurm (no $program: slurm-wlm, munge)" && exit; }
done

trap 'sh $cluster down "$tmp/slurm"' EXIT
trap 'exit 143' TERM INT
sh $cluster up "$tmp/slurm" || { echo "FAIL Slurm does not start"; exit 1; }
export SLURM_CONF="$tmp/slurm/slurm.conf"
log=$tmp/log && mkdir "$log"

# ---- what jobs do

state() { squeue -h -t all -j "$1" -o %T 2>/dev/null | head -n 1; }
field() { scontrol -o show job "$1" 2>/dev/null | sed -n "s/.* $2=\([^ ]*\).*/\1/p" | head -n 1; }
restarts() { field "$1" Restarts; }
has_ended() {
  case $(squeue -h -t all -j "$1" -o %T 2>/dev/null | sort -u | tr '\n' ' ') in
  *PENDING* | *RUNNING* | *COMPLETING* | *CONFIGURING* | *REQUEUE* | *SUSPENDED*) return 1 ;;
  esac
}
wait_for() { # seconds command...
  deadline=$(($(date +%s) + $1)) seconds=$1 && shift
  while ! "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || { echo "not within $seconds s: $*" && return 1; }
    sleep 0.1
  done
}
is_newer() { [ -n "$(find "$1" -newer "$2" 2>/dev/null)" ]; }
has_restarted() { [ "$(restarts "$1")" -ge "$2" ] 2>/dev/null; }

# Everything about jobs that failed, for the log of the test.
tell() {
  squeue -t all
  tail -n 20 "$log"/* "$tmp"/chain/*.log 2>/dev/null
}
verdict() { # name fault
  if [ -z "$2" ]; then echo "ok $1"; else
    tell
    echo "FAIL $1: $2"
  fi
}

# ---- the calibration

sed -e "s|^world: persons.csv|world: $PWD/inputs/tiny/persons.csv|" \
  -e "s|^data: cases.csv|data: $PWD/inputs/tiny/cases.csv|" \
  -e 's/^replicates: .*/replicates: 64/' -e 's/^free: .*/free: [beta_household, beta_school]/' \
  -e 's/^loss: .*/loss: poisson/' -e 's/^family: .*/family: normal/' -e 's/^draws: .*/draws: 8/' \
  -e '/beta_company: "/d' -e '/beta_community: "/d' -e '/latent_period: "/d' -e '/profile_mean: "/d' \
  inputs/tiny/run.yaml >"$tmp/run.yaml"
echo "ranks_per_world: 1" >>"$tmp/run.yaml"

submit() { # name sbatch_arguments...: the number of the job
  name=$1 && shift
  sbatch --parsable -J "$name" -o "$log/$name-%j.log" "$@"
}

# A session has written a checkpoint of its own: then it may be disturbed.
goes_on() { # job restarts: true, and the mark is new
  wait_for 120 has_restarted "$job" "$1" || return
  wait_for 60 is_running "$job" || return
  touch "$tmp/mark" && wait_for 60 is_newer "$tmp/posterior.h5.checkpoint" "$tmp/mark"
}
is_running() { [ "$(state "$1")" = RUNNING ]; }

disturb() {
  goes_on 0 || return
  sbatch -p urgent -N 2 -n 8 -t 1 -o /dev/null --wrap true >/dev/null
  goes_on 1 || return
  scontrol update nodename=n2 state=down reason=test
  sleep 1
  scontrol update nodename=n2 state=resume 2>/dev/null # unless it is back by itself
  goes_on 2 || return
  scancel --batch --signal=USR1 "$job"
  wait_for 90 has_restarted "$job" 3
}

"$GRADUS" calibrate "$tmp/run.yaml" -output "$tmp/whole.h5" -quiet -progress none </dev/null &
whole=$!
job=$(submit calibrate -N 2 -n 2 jobscripts/calibrate.sbatch "$tmp/run.yaml" \
  -output "$tmp/posterior.h5" -checkpoint_every 0.5s -progress none)
fault=$(disturb)
wait $whole
[ -n "$fault" ] || fault=$(wait_for 120 has_ended "$job")
if [ -z "$fault" ]; then
  [ "$(state "$job")" = COMPLETED ] || fault="$(state "$job"), exit $(field "$job" ExitCode)"
  cmp "$tmp/whole.h5" "$tmp/posterior.h5" || fault="$fault other bytes than undisturbed"
  sessions=$(sed -n 's/.*"sessions_before": \([0-9]*\).*/\1/p' "$tmp/posterior.h5.run.json")
  [ "$sessions" -ge 3 ] || fault="$fault only $sessions sessions before the last"
fi
verdict "calibration: requeued $(restarts "$job") times, $sessions sessions before the last" "$fault"
scancel "$job" 2>/dev/null

# Put back after its result stands, as by a node that fails last of all.
again=$(submit again -n 2 jobscripts/calibrate.sbatch "$tmp/run.yaml" -output "$tmp/posterior.h5" \
  -checkpoint_every 0.5s -progress none)
fault=$(wait_for 60 has_ended "$again")
[ "$(state "$again")" = COMPLETED ] || fault="$fault $(state "$again"), exit $(field "$again" ExitCode)"
grep -q 'result stands; nothing to do' "$log/again-$again.log" || fault="$fault its log does not say so"
cmp "$tmp/whole.h5" "$tmp/posterior.h5" || fault="$fault other bytes"
verdict "calibration: queued again after its result stands, ends as done" "$fault"

# One that is far from its end when its time is: Slurm looks every 30 s, and signals up to a minute
# early.  Meanwhile the tests go on.
limited=$(submit limited -n 1 -t 1 --signal=B:USR1@30 jobscripts/calibrate.sbatch "$tmp/run.yaml" \
  -replicates 20000 -output "$tmp/limited.h5" -progress none)

# ---- the sweep

sweep() { SBATCH="sbatch -o $log/sweep-%j.log" jobscripts/sweep.sh 4 "$tmp/sweep.h5" "$tmp/sweep.yaml"; }
number() { echo "$2" | sed -n "s/^$1[^:]*: job \([0-9]*\).*/\1/p"; }
lose() { # task scancel_arguments...: as soon as it runs
  task=$1 && shift
  wait_for 60 is_running "$task" && scancel "$@" "$task"
}

sed -e 's/^points: .*/points: 64/' inputs/sweep/sir_graph.yaml >"$tmp/sweep.yaml"
said=$(sweep) && array=$(number parts "$said") merge=$(number merge "$said")
fault=$(
  lose "${array}_2" --full --signal=KILL && lose "${array}_4" &&
    wait_for 120 has_ended "$array" && wait_for 60 has_ended "$merge"
)
for k in 1 2 3 4; do [ ! -e "$tmp/sweep.part$k.h5" ] || made="$made $k"; done
[ "$made" = " 1 3" ] || fault="$fault parts made:$made"
[ ! -e "$tmp/sweep.h5" ] || fault="$fault merged without two parts"
verdict "sweep: two of four tasks lost, no merged file" "$fault"

"$GRADUS" sweep "$tmp/sweep.yaml" -output "$tmp/whole_sweep.h5" -quiet -progress none </dev/null &
whole=$!
said=$(sweep)
fault=$(wait_for 120 has_ended "$(number merge "$said")")
wait $whole
echo "$said" | grep -q '^parts 2,4: ' || fault="$fault not parts 2,4 submitted: $said"
cmp "$tmp/whole_sweep.h5" "$tmp/sweep.h5" || fault="$fault other bytes than in one run"
verdict "sweep: completed by the same command, bytes of one run" "$fault"

# ---- the chain

chain() { SBATCH="sbatch -n 2" GRADUS=$GRADUS jobscripts/chain.sh "$tmp/run.yaml" "$tmp/chain" \
  -import persons -persons inputs/tiny/persons.csv; }

said=$(chain)
job=$(number calibrate "$said")
fault=$(lose "$job" && wait_for 60 has_ended "$job" && wait_for 60 has_ended "$(number figures "$said")")
[ "$(state "$job")" = CANCELLED ] || fault="$fault the cancelled job is $(state "$job")"
[ -e "$tmp/chain/world.h5" ] || fault="$fault no world"
[ ! -e "$tmp/chain/prediction.h5" ] || fault="$fault a prediction without posterior"
verdict "chain: ends where a job is cancelled" "$fault"

rm -f "$tmp/chain"/posterior.h5.*
said=$(chain)
job=$(number calibrate "$said")
fault=$(
  wait_for 60 test -e "$tmp/chain/posterior.h5.status.json" && scancel --batch --signal=USR1 "$job" &&
    wait_for 60 has_restarted "$job" 1 && wait_for 180 has_ended "$(number figures "$said")"
)
echo "$said" | grep -q '^world' && fault="$fault the world was made again"
for picture in fit posterior convergence; do
  head -c 4 "$tmp/chain/$picture.png" | grep -q PNG || fault="$fault no $picture.png"
done
verdict "chain: taken up by the same command, over a requeue, ends with its pictures" "$fault"

# ---- the time limit

fault=$(wait_for 90 has_restarted "$limited" 1)
[ -s "$tmp/limited.h5.checkpoint" ] || fault="$fault no checkpoint"
scancel "$limited"
verdict "calibration: a checkpoint, and requeued before its time limit" "$fault"

# ---- the scripts

fault=
for script in jobscripts/*.sbatch; do
  sed -n '/^# --- your machine/,/^# ---$/p' "$script" >"$tmp/block"
  [ -s "$tmp/block" ] && cmp -s "$tmp/block" "${first:=$tmp/block}" || fault="$fault $script"
  [ "$first" != "$tmp/block" ] || { first=$tmp/first && cp "$tmp/block" "$first"; }
done
verdict "jobscripts: one block for the machine, the same in each" "$fault"
