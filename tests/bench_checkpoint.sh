#!/bin/sh
# bench_checkpoint.sh [AGENTS] - what a checkpoint costs: 10^7 agents, 8 tangents, 2 ranks
#
# Five days, one checkpoint: seconds of a write, as a share of the time between two of them at the
# default interval of ten minutes, and bytes an agent.  Part of make bench.
: "${BUILD:=$PWD/build}" "${GRADUS:=$BUILD/gradus}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}"
agents=${1:-10000000} out=$BUILD/bench_checkpoint.h5
rm -f "$out"*
"$MPIEXEC" -q -n 2 "$GRADUS" sensitivity -world "synthetic:$agents" -days 5 -initial_cases 1000 \
  -estimator pathwise -free beta_household,beta_work,beta_leisure,latent_period,profile_mean,profile_shape,delay_mean,delay_sd \
  -checkpoint_every 3steps -quiet -progress none -output "$out" || exit 1
"$PYTHON" - "$out.run.json" "$agents" <<'END'
import json, sys
run, agents = json.load(open(sys.argv[1])), int(sys.argv[2])
n, seconds, size = run["checkpoints_written"], run["checkpoint_seconds"], run["checkpoint_bytes"]
print(f"checkpoint of {agents} agents, 8 tangents, 2 ranks: {seconds / n:.2f} s, "
      f"{100 * seconds / n / 600:.2f} % of ten minutes, {size / agents:.1f} bytes an agent ({size / 1e6:.0f} MB)")
END
rm -f "$out"*
