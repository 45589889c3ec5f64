#!/bin/sh
# stress.sh [WORD...] - the full tier of the reliability tests (make stress): hours
#
# check_same_bytes.sh with each pair of rank count and partitioner; check_restart.py with 200 random kills and
# every pair of 1..8 ranks; 2,000 mutants of options and 2,000 sealed ones; check_faults.py with every call that
# can fail; ranks that die in each way, ten times; edge sizes on 1, 4, 8 ranks; other compilers.  With words
# (make stress ONLY="restart") the tests named like one of them.
# A test that ends with another code than 0, or shows nothing, has failed.
: "${BUILD:=$PWD/build}" "${GRADUS:=$BUILD/gradus}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}"
export BUILD GRADUS MPIEXEC PYTHON
folder=$BUILD/tmp/stress STRESS=1 && export STRESS
rm -rf "$folder" && mkdir -p "$folder" || exit 1

run() { # test [argument...]
  name=$1 && shift
  TEST_TMP=$folder/$name && export TEST_TMP && mkdir "$TEST_TMP"
  echo "== $name"
  if [ -f "tests/$name.sh" ]; then sh "tests/$name.sh" </dev/null; else "$PYTHON" "tests/$name.py" "$@" </dev/null; fi ||
    echo "FAIL $name: exit code $?"
}

is_wanted() { # test words...
  name=$1 && shift
  [ $# -eq 0 ] && return 0
  for word in "$@"; do case $name in *"$word"*) return 0 ;; esac; done
  false
}

{
  is_wanted check_same_bytes "$@" && run check_same_bytes
  is_wanted check_restart "$@" && run check_restart
  is_wanted check_mutants "$@" && run check_mutants
  is_wanted check_ranks_die "$@" && run check_ranks_die
  is_wanted check_edges "$@" && run check_edges sizes
  is_wanted check_apart "$@" && run check_apart
  is_wanted stress_compilers "$@" && run stress_compilers
  is_wanted check_faults "$@" && run check_faults full
} | tee "$folder/log"
awk 'function close_test() { if (test && !n) { print "FAIL " test ": shows nothing"; failed++ } }
  /^== / { close_test(); test = $2; n = 0 } /^ok/ { passed++; n++ } /^FAIL/ { failed++; n++ }
  END { close_test(); printf "%d passed, %d failed\n", passed, failed; exit failed || !passed }' "$folder/log"
