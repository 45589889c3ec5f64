#!/bin/sh
# run.sh TEST... - run tests and end with "N passed, N failed"; called by make check
#
# TEST is a program build/tests/test_<topic>, run on each rank count that line 1 of its source
# names ("ranks: 1 2 3"), or a script tests/check_<topic>.sh or .py, which tests the program from
# outside and prints "ok NAME", "FAIL NAME" or "skip NAME (why)" for each of its cases.  Either may
# say "timeout: SECONDS" in its first three lines (120 if not), a script "alone" if it takes time by
# the clock and must not share the machine.
#
# A program fails if it exits non-zero, outlives its time, runs no check, or leaves PETSc memory
# unfreed (SAN, VALGRIND: these look instead).  A script fails if it exits non-zero without having
# said FAIL, or names no case.  All start in the root of the sources with an empty TEST_TMP.
#
# Environment: GRADUS BUILD MPIEXEC PYTHON; JOBS tests at a time (one more than cores, for many wait);
# RANKS, only these rank counts; SAN; VALGRIND.  Logs stay in BUILD/log/.
: "${BUILD:=$PWD/build}" "${GRADUS:=$BUILD/gradus}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}"
export BUILD GRADUS MPIEXEC PYTHON
log=$BUILD/log$VALGRIND

# PETSc's own bookkeeping tells what is left, but hides memory errors from sanitizers and valgrind.
if [ -n "$SAN" ]; then
  export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}" UBSAN_OPTIONS=print_stacktrace=1
  export LSAN_OPTIONS="suppressions=$PWD/tests/sanitizers.supp:print_suppressions=0"
  petsc_options=-no_signal_handler
elif [ -n "$VALGRIND" ]; then
  petsc_options="-no_signal_handler -malloc_debug 0"
else
  petsc_options=-malloc_dump
fi

limit_of() { # source
  sed -n '1,3s/.*timeout: *\([0-9][0-9]*\).*/\1/p' "$1" | head -n 1
}

ranks_of() { # source: the rank counts to run
  named=$(sed -n '1s/.*ranks: *\([0-9 ]*\).*/\1/p' "$1")
  [ -n "$RANKS" ] || { echo "$named"; return; }
  for n in $named; do case " $RANKS " in *" $n "*) echo "$n" ;; esac; done
}

launch() { # seconds ranks program: TERM first, for mpirun then takes its ranks along
  inspector='' seconds=$1
  if [ -n "$VALGRIND" ]; then
    inspector="valgrind -q --error-exitcode=9 --suppressions=tests/valgrind.supp"
    seconds=$((seconds * 10))
  fi
  timeout -k 20 "$seconds" "$MPIEXEC" -n "$2" $inspector "$3" $petsc_options </dev/null
}

why() { # exit_code seconds
  case $1 in
  124 | 137) echo "killed after $2 s" ;;
  *) echo "exit code $1" ;;
  esac
}

run_program() { # program ranks
  test=$(basename "$1") && source=tests/$test.c && name=$test.$2
  seconds=$(limit_of "$source")
  launch "${seconds:=120}" "$2" "$1" >"$log/$name.log" 2>&1
  code=$? fault=
  checks=$(sed -n 's/.*Checks: \([0-9]*\).*/\1/p' "$log/$name.log" | head -n 1)
  if [ $code -ne 0 ]; then
    fault=$(why $code "$seconds")
  elif grep -q '^\[ *[0-9]*\] *[0-9]* bytes ' "$log/$name.log"; then
    fault="PETSc memory left"
  elif [ "${checks:-0}" -eq 0 ]; then
    fault="no check was run"
  fi
  if [ -z "$fault" ]; then
    echo "ok    $test -n $2 ($checks checks)" >"$log/$name.result"
  else
    echo "FAIL  $test -n $2: $fault" >"$log/$name.result"
  fi
}

run_script() { # script
  test=$(basename "$1") && name=$test
  seconds=$(limit_of "$1")
  case $1 in *.py) shell=$PYTHON ;; *) shell="sh" ;; esac
  timeout -k 20 "${seconds:=120}" "$shell" "$1" </dev/null >"$log/$name.log" 2>&1
  code=$?
  sed -n "s/^\(ok\|FAIL\|skip\) \(.*\)/\1 \2/p" "$log/$name.log" |
    awk -v test="${test%.*}" '{ verdict = $1; sub(/^[^ ]+ +/, ""); printf "%-5s %s: %s\n", verdict, test, $0 }' \
      >"$log/$name.result"
  if [ $code -ne 0 ] && ! grep -q '^FAIL' "$log/$name.result"; then
    echo "FAIL  ${test%.*}: $(why $code "$seconds")" >>"$log/$name.result"
  elif [ ! -s "$log/$name.result" ]; then
    echo "FAIL  ${test%.*}: no case was run" >"$log/$name.result"
  fi
}

one() { # test ranks: run, then print the verdict and, if it failed, the end of the log
  start=$(date +%s.%N)
  name=$(basename "$1")${2:+.$2}
  TEST_TMP=$BUILD/tmp/$name && export TEST_TMP
  rm -rf "$TEST_TMP" && mkdir -p "$TEST_TMP"
  if [ -n "$2" ]; then run_program "$1" "$2"; else run_script "$1"; fi
  times >"$log/$name.times" # its last line: processor time of all that this shell started
  took=$(echo "$start $(date +%s.%N) $(tail -n 1 "$log/$name.times")" | tr ms '  ' |
    awk '{ printf "%.1f s, %.1f s of processor", $2 - $1, 60 * $3 + $4 + 60 * $5 + $6 }')
  sed "\$s/\$/  $took/" "$log/$name.result" >"$log/$name.told"
  if grep -q '^FAIL' "$log/$name.result"; then
    tail -n 60 "$log/$name.log" | sed 's/^/      | /' >>"$log/$name.told"
  else
    rm -rf "$TEST_TMP"
  fi
  cat "$log/$name.told"
}

if [ "$1" = -one ]; then
  one "$2" "$3"
  exit 0
fi

rm -rf "$log" && mkdir -p "$log" "$BUILD/tmp"
: >"$log/alone" && : >"$log/together"
for test in "$@"; do
  case $test in
  *.sh | *.py)
    if sed -n 1,3p "$test" | grep -qw alone; then queue=alone; else queue=together; fi
    seconds=$(limit_of "$test")
    echo "${seconds:-120} $test" >>"$log/$queue"
    ;;
  *)
    ranks=$(ranks_of "tests/$(basename "$test").c")
    [ -n "$ranks$RANKS" ] ||
      echo "FAIL  $(basename "$test"): line 1 names no ranks" | tee "$log/$(basename "$test").result"
    for n in $ranks; do echo "0 $test $n" >>"$log/together"; done
    ;;
  esac
done
for queue in together alone; do # the longest first, so that none runs on by itself at the end
  if [ $queue = alone ]; then jobs=1; else jobs=${JOBS:-$(($(nproc) + 1))}; fi
  sort -s -rn "$log/$queue" | cut -d ' ' -f 2- | xargs -r -L 1 -P "$jobs" sh "$0" -one
done

cat "$log"/*.result 2>/dev/null | awk '
  /^ok/ { passed++ } /^FAIL/ { failed++ } /^skip/ { skipped++ }
  END {
    printf "%d passed, %d failed", passed, failed
    if (skipped) printf ", %d skipped", skipped
    print ""
    exit failed || !passed
  }'
