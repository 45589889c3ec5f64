#!/bin/sh
# check_clean.sh - the program leaves nothing behind                               timeout: 900
#
# Each command on inputs/tiny with PETSc's -malloc_dump, on 1 and 2 ranks: no line of unfreed
# memory.  Then under valgrind on one rank: no error.  With SAN=1, for a program made so, neither, but
# each command on 2 ranks without a word of the sanitizers.
tmp=${TEST_TMP:?}
q="-quiet -progress none -overwrite"
few="-replicates 2 -tao_max_it 2"

verdict() { # name log code pattern: fails on a non-zero code or a line that matches
  if [ "$3" -eq 0 ] && ! grep -Eq "$4" "$2"; then echo "ok $1"; else
    echo "FAIL $1 (exit code $3)"
    head -n 20 "$2"
  fi
}

each() { # runner name pattern: every command
  runner=$1 name=$2 pattern=$3
  while read -r command arguments; do
    # shellcheck disable=SC2086
    $runner "$GRADUS" "$command" $arguments </dev/null >"$tmp/log" 2>&1
    verdict "$command $name" "$tmp/log" $? "$pattern"
  done <<EOF
world -import persons -persons inputs/tiny/persons.csv -output $tmp/w.h5 $q $dump
simulate inputs/tiny/run.yaml -world $tmp/w.h5 -replicates 3 -output $tmp/r.h5 $q $dump
sensitivity inputs/tiny/run.yaml -replicates 3 -keep mean -output $tmp/s.h5 $q $dump
sensitivity inputs/tiny/run.yaml -replicates 1 -estimator fd -output $tmp/f.h5 $q $dump
calibrate inputs/tiny/run.yaml $few -output $tmp/p.h5 $q $dump
calibrate inputs/hagelloch/history.yaml -output $tmp/h.h5 $q $dump
predict inputs/tiny/run.yaml -posterior $tmp/p.h5 -samples 5 -output $tmp/d.h5 $q $dump
sweep inputs/tiny/run.yaml -points 4 -days 10 -free beta_school,beta_household -resamples 5 -output $tmp/g.h5 $q $dump
sweep inputs/sweep/g.yaml -design morris -points 3 -sweep_part 1/2 -output $tmp/g1.h5 $q $dump
sweep inputs/sweep/g.yaml -design morris -points 3 -sweep_part 2/2 -output $tmp/g2.h5 $q $dump
sweep -merge $tmp/g1.h5,$tmp/g2.h5 -output $tmp/g.h5 $q $dump
check inputs/tiny/run.yaml $dump
check inputs/sweep/g.yaml $dump
info $tmp/p.h5 $dump
EOF
}

if [ -n "$SAN" ]; then
  dump='' few="-replicates 1 -draws 14 -start prior -tao_max_it 1"
  each "$MPIEXEC -q -n 2" "under sanitizers" 'ERROR: (Address|Leak)Sanitizer|runtime error'
  exit 0
fi
dump=-malloc_dump
each "$MPIEXEC -q -n 1" "leaves no memory on 1 rank" '^\[ *[0-9]+\] *[0-9]+ bytes '
each "$MPIEXEC -q -n 2" "leaves no memory on 2 ranks" '^\[ *[0-9]+\] *[0-9]+ bytes '
if command -v valgrind >/dev/null; then
  dump='' few="-replicates 1 -draws 14 -start prior -tao_max_it 1"
  each "valgrind -q --error-exitcode=9 --suppressions=tests/valgrind.supp" "under valgrind" '^==.*(Invalid|uninit)'
else
  echo "skip valgrind (not installed)"
fi
