#!/bin/sh
# check_failures.sh - runs that fail midway: exit codes 5 and 6, nothing left behind  timeout: 600
#
# 6: the event history of inputs/hagelloch with importation_rate fixed at 0: the first infection has
# no hazard.  5: a world of 3,000,000 agents in 400 MB of address space, on
# one rank and on two of three.  Each says one line
# and leaves neither a result nor its .part.
tmp=${TEST_TMP:?}
q="-quiet -progress none"

verdict() { # name code expected pattern
  fault=
  [ "$2" -eq "$3" ] || fault="exit code $2, not $3"
  [ "$(wc -l <"$tmp/err")" -eq 1 ] || fault="$fault $(wc -l <"$tmp/err") lines"
  grep -Eq "^gradus: error: .*$4" "$tmp/err" || fault="$fault no line matches $4"
  for left in "$tmp/o.h5" "$tmp"/*.part; do
    [ -e "$left" ] && fault="$fault $left is left"
  done
  if [ -z "$fault" ]; then echo "ok $1"; else
    echo "FAIL $1: $fault"
    head -n 5 "$tmp/err"
  fi
  rm -f "$tmp"/o.h5*
}

sed -e "s|^world: persons.csv|world: $PWD/inputs/hagelloch/persons.csv|" -e '/^prior:/,$d' \
  -e 's/importation_rate: 0.0006/importation_rate: 0/' -e 's/^free:.*/free: [beta_village]/' \
  inputs/hagelloch/history.yaml >"$tmp/run.yaml"
for n in 1 2 4; do
  # shellcheck disable=SC2086
  timeout 60 "$MPIEXEC" -q -n $n "$GRADUS" calibrate "$tmp/run.yaml" -prior_beta_village 'lognormal(-7, 2)' \
    -output "$tmp/o.h5" $q </dev/null >"$tmp/out" 2>"$tmp/err"
  verdict "infections without hazard, $n ranks" $? 6 'no hazard.*beta_village'
done

if [ -n "$SAN" ]; then
  echo "skip too little memory (sanitizers)"
elif ! (ulimit -v 400000 && "$GRADUS" -version) >/dev/null 2>&1; then
  echo "skip too little memory (the program does not start in 400 MB of address space)"
else
  # shellcheck disable=SC2086
  (ulimit -v 400000 && timeout 60 "$GRADUS" simulate -world synthetic:3000000 -days 1 -replicates 1 \
    -output "$tmp/o.h5" $q) </dev/null >"$tmp/out" 2>"$tmp/err"
  verdict "too little memory" $? 5 ''
  # ranks 1 and 2 fail alone, while rank 0 waits for them
  run="$GRADUS simulate -world synthetic:3000000 -days 1 -replicates 1 -output $tmp/o.h5 $q"
  # shellcheck disable=SC2086
  timeout 60 "$MPIEXEC" -q -n 1 $run : -n 2 sh -c "ulimit -v 390000; exec $run" \
    </dev/null >"$tmp/out" 2>"$tmp/err"
  verdict "too little memory for two of three ranks" $? 5 'memory:'
fi
