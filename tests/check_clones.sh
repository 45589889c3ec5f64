#!/bin/sh
# check_clones.sh - the same bytes whichever vector width the machine has                timeout: 600
#
# DUAL_CLONES (dual.h) are compiled for plain x86-64, AVX2 and AVX-512 and chosen at the start.  The
# program is linked anew with tests/cpu_level.c, once for each that this machine can run, and says which
# it has chosen; every result must be that of plain x86-64.  Negative control: kernels compiled so that
# a * b + c may be one operation must differ with AVX2.
set -u
tmp=${TEST_TMP:?}
[ -z "${SAN:-}" ] || { echo "skip clones (none in builds with sanitizers)"; exit 0; }
nm "$GRADUS" | grep -q 'epidemic_press\.resolver' || { echo "skip clones (this compiler makes none)"; exit 0; }
compile=$(head -n 1 "$BUILD/flags.txt")
libraries="$(sed -n 's/^LDFLAGS *= *//p' config.mk) $(sed -n 's/^LDLIBS *= *//p' config.mk)"

build() { # name level object...: a program that takes the clones of this level
  made=$1 define=${2:+-DCPU_LEVEL=\"x86-64-$2\"}
  shift 2
  # shellcheck disable=SC2086
  $compile -fPIC ${define:+"$define"} -c tests/cpu_level.c -o "$tmp/$made.o" &&
    $compile "$BUILD/src/main.o" "$tmp/$made.o" "$@" "$BUILD/libgradus.a" $libraries -o "$tmp/$made"
}

chosen() { # name: what its epidemic_press is compiled for
  CLONE_FILE=$tmp/clone "$tmp/$1" info none >"$tmp/out" 2>&1
  nm "$tmp/$1" | sed -n "s/^0*$(cat "$tmp/clone") t epidemic_press\.//p"
}

run() { # program output args...
  program=$1 output=$2
  shift 2
  "$MPIEXEC" -q -n 2 "$program" "$@" -quiet -progress none -overwrite -checkpoint none \
    -output "$output" >"$tmp/out" 2>&1 || { echo "FAIL $output: $(head -n 1 "$tmp/out")"; return 1; }
}

has() { for flag in "$@"; do grep -qw "$flag" /proc/cpuinfo || return 1; done; }
levels=default
has avx2 fma bmi2 && levels="$levels v3"
has avx2 fma bmi2 avx512f avx512bw avx512cd avx512dq avx512vl && levels="$levels v4"
echo "levels of this machine: $levels"

for level in $levels; do
  build "$level" "${level#default}" || { echo "FAIL build $level"; exit 1; }
  name=$(chosen "$level")
  [ -n "$name" ] && [ "${name#arch_x86_64_}" = "$level" ] && echo "ok $level takes $name" || echo "FAIL $level takes $name"
done

all=beta_household,beta_work,beta_leisure,beta_meeting,latent_period,profile_mean,profile_shape,delay_mean,delay_sd
cases() { # what: compare it with plain x86-64
  what=$1
  shift
  run "$tmp/default" "$tmp/$what.default.h5" "$@" || return
  for program in $(for level in $levels; do echo "$tmp/$level"; done) "$GRADUS"; do
    [ "$program" != "$tmp/default" ] || continue
    if run "$program" "$tmp/$what.h5" "$@" && cmp "$tmp/$what.default.h5" "$tmp/$what.h5"; then
      echo "ok $what: ${program##*/} as default"
    else
      echo "FAIL $what: ${program##*/} as default"
    fi
  done
}
world="-world synthetic:town:20000 -days 30 -initial_cases 40 -seed 7"
# shellcheck disable=SC2086
{
  cases plain simulate $world
  cases width4 sensitivity $world -estimator pathwise -free beta_household,beta_work,beta_leisure
  cases width8 sensitivity $world -estimator pathwise -free ${all%,delay_mean*}
  cases width16 sensitivity $world -estimator pathwise -free $all
  cases density sensitivity $world -estimator pathwise -contact density -free beta_household,profile_mean \
    -parameters_beta_work 0.05 -parameters_beta_leisure 0.05 -parameters_beta_meeting 0.05
  cases sampled sensitivity -world synthetic:choices:20000 -days 30 -initial_cases 40 -sampled_kinds leisure,meeting \
    -estimator pathwise -pathwise_accept_bias -free beta_leisure,profile_mean
  for estimator in st gumbel score spa; do
    cases $estimator sensitivity inputs/tiny/run.yaml -replicates 2 -estimator $estimator
  done
  cases calibrate calibrate inputs/tiny/run.yaml -replicates 2 -start prior -tao_max_it 2
}

case $levels in
*v3*)
  for source in epidemic_press epidemic_step; do
    # shellcheck disable=SC2086
    $compile -ffp-contract=fast -c "src/model/epidemic/$source.c" -o "$tmp/$source.o" || echo "FAIL build $source"
  done
  # shellcheck disable=SC2086
  build fused v3 "$tmp/epidemic_press.o" "$tmp/epidemic_step.o" && run "$tmp/fused" "$tmp/fused.h5" sensitivity \
    $world -estimator pathwise -free beta_household,beta_work,beta_leisure &&
    ! cmp -s "$tmp/width4.default.h5" "$tmp/fused.h5" && echo "ok fused multiplications differ, as they must" ||
    echo "FAIL fused multiplications should differ" ;;
*) echo "skip fused multiplications (no AVX2 here)" ;;
esac
