#!/bin/sh
# stress.sh - the full tier of the reliability tests (make stress): an hour or so
#
# check_restart.py with 200 random kills and every pair of 1..8 ranks; 2,000 mutants of options; check_faults.py with every call
# that can fail.
: "${BUILD:=$PWD/build}" "${GRADUS:=$BUILD/gradus}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}"
export BUILD GRADUS MPIEXEC PYTHON
TEST_TMP=$BUILD/tmp/stress STRESS=1 && export TEST_TMP STRESS
rm -rf "$TEST_TMP" && mkdir -p "$TEST_TMP" || exit 1

{
  "$PYTHON" tests/check_restart.py
  TEST_TMP=$TEST_TMP/mutants && mkdir "$TEST_TMP" && "$PYTHON" tests/check_mutants.py
  TEST_TMP=$TEST_TMP/faults && mkdir "$TEST_TMP" && "$PYTHON" tests/check_faults.py full
} | tee "$TEST_TMP/log"
awk '/^ok/ { passed++ } /^FAIL/ { failed++ }
  END { printf "%d passed, %d failed\n", passed, failed; exit failed || !passed }' "$TEST_TMP/log"
