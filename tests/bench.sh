#!/bin/sh
# bench.sh [full] - make bench, make bench-full: time, memory and growth beside a STREAM triad
#
# 10^5 and 10^6 agents (full: 10^7, too) on 1 and 2 ranks, plain and with 4, 8 and 16 tangents.  Rows go
# to $BUILD/bench/*.json, and bench_table.py puts them beside the targets and into $BUILD/bench.json.
# bench_memory.py: 100 steps beside 1,000.  bench_checkpoint.sh: 10^7 agents with 8 tangents.
# Nothing here is a test: figures depend on the machine and its neighbours.  Compare ratios, and run
# it alone.
: "${BUILD:=$PWD/build}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}"
out=$BUILD/bench
rm -rf "$out" && mkdir -p "$out" || exit 1

step() { # agents repeat
  for ranks in 1 2; do
    "$MPIEXEC" -q -n $ranks "$BUILD/tests/bench_step" "$1" "$out/step.$1.$ranks.json" "$2" || exit 1
    echo
  done
}
step "${AGENTS:-1000000}" 3
[ -n "$AGENTS" ] || step 100000 9
[ "$1" != full ] || step 10000000 1

"$PYTHON" tests/bench_table.py "$out" "$BUILD/bench.json"
"$PYTHON" tests/bench_memory.py
sh tests/bench_checkpoint.sh "${AGENTS:-10000000}"
