#!/bin/sh
# bench.sh [full] - make bench, make bench-full: time, memory and growth beside a STREAM triad
#
# Plain and with 4, 8 and 16 tangents: 10^5 and 10^6 agents on 1 and 2 ranks, 2 x 10^6 on 2 (full: 10^7 on
# 1 and 2, too); 10^6 with sampled leisure on 1.  Making, writing and reading worlds: bench_world.py.  Full: sparse worlds, bench_spa.py.
# Each part leaves rows in $BUILD/bench/*.json; bench_table.py puts them beside all targets and into
# $BUILD/bench.json, and a figure is drawn.  Then bench_memory.py, 100 steps beside 1,000, and
# bench_checkpoint.sh, 10^7 agents with 8 tangents.  AGENTS=N instead of 10^6, and no other sizes.
#
# Nothing here is a test: figures depend on the machine and its neighbours.  Compare ratios, and run it
# alone.  A part that fails does not stop the others, and makes the exit code 1.
: "${BUILD:=$PWD/build}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}"
export BUILD MPIEXEC
out=$BUILD/bench failed=0
rm -rf "$out" && mkdir -p "$out" || exit 1

part() { # command...
  "$@" || { echo "FAIL $*" && failed=1; }
  echo
}
step() { # agents repeat ranks...
  agents=$1 repeat=$2
  shift 2
  for ranks; do
    # a rank that waits gives its core away only where others want it: giving takes time
    part env OMPI_MCA_mpi_yield_when_idle=$((ranks > $(nproc))) "$MPIEXEC" -q -n "$ranks" "$BUILD/tests/bench_step" "$agents" "$out/step.$agents.$ranks.json" "$repeat"
  done
}
one=${AGENTS:-1000000}
step "$one" 3 1 2
step $((2 * one)) 3 2
step choices:$one 3 1
if [ -z "$AGENTS" ]; then
  step 100000 9 1 2
  [ "$1" != full ] || step 10000000 1 1 2
fi
part "$PYTHON" tests/bench_world.py "$out/world.json" ${1:+"$1"}
[ "$1" != full ] || part "$PYTHON" tests/bench_spa.py "$out/spa.json"
part "$PYTHON" tests/bench_table.py "$out" "$BUILD/bench.json"
part "$PYTHON" postprocess/plot_bench.py "$BUILD/bench.json" -output "$BUILD/bench.png"
part "$PYTHON" tests/bench_memory.py
part sh tests/bench_checkpoint.sh "${AGENTS:-10000000}"
exit $failed
