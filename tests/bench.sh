#!/bin/sh
# bench.sh - make bench: ns per agent-step, plain and pathwise, beside a STREAM triad
#
# Nothing here is a test: figures depend on the machine and its neighbours.  Compare ratios.
: "${BUILD:=$PWD/build}" "${MPIEXEC:=mpirun}"
for ranks in 1 2; do
  "$MPIEXEC" -q -n "$ranks" "$BUILD/tests/bench_step" "${AGENTS:-1000000}" "$BUILD/bench.$ranks.json" ||
    exit 1
  echo
done
echo "as JSON: $BUILD/bench.1.json $BUILD/bench.2.json"
