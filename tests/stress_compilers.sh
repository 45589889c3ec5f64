#!/bin/sh
# stress_compilers.sh - the same bytes from another compiler and other optimisation (make stress)
#
# The program is built anew with clang, and with this compiler at -O0, and makes every kind of result that
# the program under test makes: compared whole.  Negative control: clang allowed to make one operation of
# a * b + c must differ.
set -u
tmp=${TEST_TMP:?} built=

build() { # name makevariables...: a program of its own
  name=$1
  shift
  make -s BUILD="$tmp/$name" "$@" >"$tmp/$name.log" 2>&1 && return
  echo "FAIL $name is built: $(grep -m 1 error "$tmp/$name.log")"
  return 1
}

run() { # program output args...
  program=$1 output=$2
  shift 2
  "$MPIEXEC" -q -n 2 "$program" "$@" -quiet -progress none -overwrite -checkpoint none -output "$output" ||
    { echo "FAIL $output"; return 1; }
}

same() { # what args...
  what=$1
  shift
  run "$GRADUS" "$tmp/$what.h5" "$@" || return
  for name in $built; do
    if run "$tmp/$name/gradus" "$tmp/$what.$name.h5" "$@" && cmp "$tmp/$what.h5" "$tmp/$what.$name.h5"; then
      echo "ok $what: $name"
    else
      echo "FAIL $what: $name"
    fi
  done
}

clang="OMPI_CC=clang MPICH_CC=clang"
# shellcheck disable=SC2086
if command -v clang >/dev/null; then
  build clang $clang WERROR=1 && built=clang
else
  echo "skip clang (none here: apt-get install clang)"
fi
build O0 CFLAGS=-O0 && built="$built O0"

tiny=inputs/tiny/run.yaml
town="sensitivity -world synthetic:town:20000 -days 30 -initial_cases 40 -seed 7 -estimator pathwise"
same simulate simulate $tiny -replicates 5 -by group,area
same hagelloch sensitivity inputs/hagelloch/run.yaml -replicates 3 -estimator pathwise
# shellcheck disable=SC2086
same town $town
for estimator in st gumbel score spa fd; do
  same $estimator sensitivity $tiny -replicates 2 -estimator $estimator
done
for model in sir_ode sir_graph random_walk game_of_life; do
  same $model simulate -model $model -replicates 3 -steps 30
done
same calibrate calibrate $tiny -replicates 2 -start prior -tao_max_it 3
same history calibrate inputs/hagelloch/history.yaml -tao_max_it 10
same sweep sweep inputs/sweep/ishigami.yaml -points 64 -resamples 10

# shellcheck disable=SC2086
if ! grep -qw fma /proc/cpuinfo || ! command -v clang >/dev/null; then
  echo "skip fused multiplications (no FMA or no clang here)"
elif build fused $clang ARCH=-mfma FLOAT=-ffp-contract=fast; then
  run "$tmp/fused/gradus" "$tmp/town.fused.h5" $town && ! cmp -s "$tmp/town.h5" "$tmp/town.fused.h5" &&
    echo "ok fused multiplications differ, as they must" || echo "FAIL fused multiplications should differ"
fi
