#!/bin/sh
# large_same_bytes.sh - make check-large: the same bytes at 10^6 agents
#
# A world file, a simulation and a pathwise Jacobian are made on one rank, and again on 2, 3, 4 and 8
# ranks with each partitioner; cmp must find no difference.  AGENTS=N for another size.
: "${BUILD:=$PWD/build}" "${GRADUS:=$BUILD/gradus}" "${MPIEXEC:=mpirun}"
tmp=$BUILD/tmp/large
rm -rf "$tmp" && mkdir -p "$tmp" || exit 1
failed=0

run() { # ranks args...
  n=$1
  shift
  "$MPIEXEC" -q -n "$n" "$GRADUS" "$@" -quiet -progress none -overwrite
}
epidemic="-days 30 -initial_cases 1000 -parameters_beta_household 0.8 -parameters_beta_work 1
  -parameters_beta_leisure 1 -parameters_importation_rate 1e-5 -world $tmp/world.h5"
command() { # world, simulate or pathwise
  case $1 in
  world) echo "world -world synthetic:${AGENTS:-1000000}" ;;
  simulate) echo "simulate $epidemic" ;;
  pathwise) echo "sensitivity -estimator pathwise $epidemic" ;;
  esac
}

for case in world simulate pathwise; do
  # shellcheck disable=SC2046
  run 1 $(command $case) -output "$tmp/$case.h5" || exit 1
  for ranks in 2 3 4 8; do
    for partition in blocks hilbert ptscotch; do
      # shellcheck disable=SC2046
      if run $ranks $(command $case) -partition $partition -output "$tmp/again.h5" &&
        cmp "$tmp/$case.h5" "$tmp/again.h5"; then
        echo "ok   $case: $ranks ranks, $partition"
      else
        echo "FAIL $case: $ranks ranks, $partition" && failed=$((failed + 1))
      fi
    done
  done
done
rm -rf "$tmp"
echo "$failed failed"
[ $failed -eq 0 ]
