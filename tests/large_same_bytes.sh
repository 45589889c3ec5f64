#!/bin/sh
# large_same_bytes.sh - make check-large: the same bytes at 10^6 agents
#
# A synthetic world and one from census tables (England at 2 %; the county of inputs/ where ../shared/data is
# not there): the world file, a simulation and a pathwise Jacobian are made on one rank, and again on 2, 3,
# 4 and 8 ranks with each partitioner; cmp must find no difference.  AGENTS=N for another size,
# WORLDS="synthetic census", RANKS="2 3 4 8".
: "${BUILD:=$PWD/build}" "${GRADUS:=$BUILD/gradus}" "${MPIEXEC:=mpirun}"
: "${AGENTS:=1000000}" "${WORLDS:=synthetic census}" "${RANKS:=2 3 4 8}"
tmp=$BUILD/tmp/large england=../shared/data/england_2011
rm -rf "$tmp" && mkdir -p "$tmp" || exit 1
failed=0 compared=0

run() { # ranks args...
  n=$1
  shift
  "$MPIEXEC" -q -n "$n" "$GRADUS" "$@" -quiet -progress none -overwrite
}
# England has 53 million residents
scale=$(awk "BEGIN { s = $AGENTS / 53e6; print s < 1 ? s : 1 }")
command() { # world, simulate or pathwise; synthetic or census
  case $1-$2 in
  world-synthetic) echo "world -world synthetic:$AGENTS" ;;
  world-census)
    if [ -d $england ]; then
      echo "world -census $england -census_mapping inputs/england/census.yaml -scale $scale"
    else
      echo "world -census inputs/county"
    fi
    return
    ;;
  simulate-*) echo simulate ;;
  pathwise-*) echo "sensitivity -estimator pathwise" ;;
  esac
  [ "$1" = world ] || echo "-days 30 -initial_cases 1000 -parameters_beta_household 0.8 \
    -parameters_importation_rate 1e-5 -world $tmp/$2.world.h5"
  case $1-$2 in
  world-*) ;;
  *-synthetic) echo "-parameters_beta_work 1 -parameters_beta_leisure 1" ;;
  *-census) echo "-parameters_beta_company 1 -parameters_beta_school 1" ;;
  esac
}

for world in $WORLDS; do
  for case in world simulate pathwise; do
    # shellcheck disable=SC2046
    run 1 $(command $case "$world") -output "$tmp/$world.$case.h5" || exit 1
    for ranks in $RANKS; do
      for partition in blocks hilbert ptscotch; do
        compared=$((compared + 1))
        # shellcheck disable=SC2046
        if run "$ranks" $(command $case "$world") -partition $partition -output "$tmp/again.h5" &&
          cmp "$tmp/$world.$case.h5" "$tmp/again.h5"; then
          echo "ok   $world, $case: $ranks ranks, $partition"
        else
          echo "FAIL $world, $case: $ranks ranks, $partition" && failed=$((failed + 1))
        fi
      done
    done
  done
done
rm -rf "$tmp"
echo "$failed of $compared failed"
[ $failed -eq 0 ]
