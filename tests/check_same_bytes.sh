#!/bin/sh
# check_same_bytes.sh - the same bits on any number of ranks                       timeout: 2400
#
# For each case a result is made on one rank and compared by cmp with the same made on 2, 3, 4 and 7
# ranks, with each partitioner, and with groups of ranks: hagelloch with all of them, the others with every
# rank count and partitioner but not each pair (make stress: each).  Negative control: sums in the order
# of ranks (a switch for this test alone) must differ.
set -u
tmp=${TEST_TMP:?}
run() { # ranks args...
  n=$1
  shift
  "$MPIEXEC" -q -n "$n" "$GRADUS" "$@" -quiet -progress none -overwrite
}

few="2:blocks:0 2:ptscotch:0 3:hilbert:0 4:hilbert:0 7:hilbert:0 4:ptscotch:2"
rest="3:ptscotch:0 4:blocks:0 2:hilbert:0 3:blocks:0 4:ptscotch:0 7:blocks:0 7:ptscotch:0 2:hilbert:1 2:hilbert:2 4:hilbert:1"

same() { # name args...: on rank counts and partitioners
  name=$1
  shift
  run 1 "$@" -output "$tmp/$name.1.h5" || { echo "FAIL $name on one rank"; return; }
  case $name:${STRESS:-} in *_hagelloch: | *:1) settings="$few $rest" ;; *) settings=$few ;; esac
  for setting in $settings; do
    ranks=${setting%%:*} each=${setting##*:}
    partition=${setting#*:}
    partition=${partition%:*}
    if run "$ranks" "$@" -partition "$partition" -ranks_per_world "$each" -output "$tmp/$name.h5" &&
      cmp "$tmp/$name.1.h5" "$tmp/$name.h5"; then
      echo "ok $name: $ranks ranks, $partition, ranks_per_world $each"
    else
      echo "FAIL $name: $ranks ranks, $partition, ranks_per_world $each"
    fi
  done
}

hagelloch=inputs/hagelloch/run.yaml tiny=inputs/tiny/run.yaml
for case in hagelloch tiny; do
  eval "file=\$$case"
  [ $case = tiny ] && by=group,area || by=class,area
  same "simulate_$case" simulate "$file" -replicates 5 -by $by
  same "sensitivity_$case" sensitivity "$file" -replicates 5 -estimator pathwise
  same "calibrate_$case" calibrate "$file" -replicates 2 -start prior -tao_max_it 3
done
same mean_tiny sensitivity "$tiny" -replicates 5 -estimator fd -keep mean -by group
run 1 calibrate "$tiny" -replicates 1 -draws 14 -start prior -tao_max_it 1 -output "$tmp/posterior.h5" ||
  echo "FAIL calibrate for predict"
same predict_tiny predict "$tiny" -posterior "$tmp/posterior.h5" -samples 20 -by group,area
same history calibrate inputs/hagelloch/history.yaml -tao_max_it 10

# A world of 100,000 agents whose venues cross areas.
big="sensitivity -world synthetic:100000 -days 30 -initial_cases 100 -estimator pathwise
  -parameters_beta_household 0.8 -parameters_beta_work 1 -parameters_beta_leisure 1"
# shellcheck disable=SC2086
same big $big
for partition in blocks hilbert ptscotch; do
  # shellcheck disable=SC2086
  if run 8 $big -partition $partition -output "$tmp/big.h5" && cmp "$tmp/big.1.h5" "$tmp/big.h5"; then
    echo "ok big: 8 ranks, $partition"
  else
    echo "FAIL big: 8 ranks, $partition"
  fi
done

# Every rank of four owns agents and exchanges partial sums: the run's own counts.
shared() { # name args...
  name=$1
  shift
  if run 4 "$@" -ranks_per_world 0 -output "$tmp/shared.h5" && "$PYTHON" - "$tmp/shared.h5.run.json" "$name" <<'EOF'; then
import json, sys
counts = json.load(open(sys.argv[1]))
print({k: counts[k] for k in ("agents", "sites_sent", "sites_received")})
least = 1 if sys.argv[2] == "big" else 0  # in a small world one rank may own all venues that are shared
sys.exit(not all(len(counts[k]) == 4 and min(counts[k]) >= least for k in ("agents", "sites_sent", "sites_received"))
         or min(counts["agents"]) == 0
         or not all(a + b > 0 for a, b in zip(counts["sites_sent"], counts["sites_received"])))
EOF
    echo "ok $name: four ranks all own agents and exchange partial sums"
  else
    echo "FAIL $name: four ranks all own agents and exchange partial sums"
  fi
}
for partition in blocks hilbert ptscotch; do
  shared "hagelloch, $partition" sensitivity $hagelloch -replicates 1 -partition $partition
  shared "tiny, $partition" sensitivity $tiny -replicates 1 -partition $partition
done
# shellcheck disable=SC2086
shared big $big

# shellcheck disable=SC2086
if run 4 $big -test_rank_order_sums -partition hilbert -output "$tmp/control.h5" &&
  run 1 $big -test_rank_order_sums -partition hilbert -output "$tmp/control.1.h5" &&
  ! cmp -s "$tmp/control.1.h5" "$tmp/control.h5"; then
  echo "ok negative control: sums in the order of ranks are noticed"
else
  echo "FAIL negative control: sums in the order of ranks are noticed"
fi
fit="calibrate $tiny -replicates 1 -start prior -tao_max_it 1 -family normal -draws 4 -test_rank_order_sums"
# shellcheck disable=SC2086
if run 2 $fit -output "$tmp/control.h5" && run 1 $fit -output "$tmp/control.1.h5" && ! cmp -s "$tmp/control.1.h5" "$tmp/control.h5"; then
  echo "ok negative control: a calibration's, too"
else
  echo "FAIL negative control: a calibration's, too"
fi
