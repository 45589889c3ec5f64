#!/bin/sh
# check_memory.sh - nothing is gathered on one rank, and memory is what is stated        timeout: 600
#
# 2,000,000 persons in a table, read, partitioned and run.  Peak memory of each of 4 ranks, less
# what the program takes with next to nothing, is a quarter of one rank's within 30 %.  Then the same
# persons from a world.h5, with 8 tangents: the peak of each rank is within 20 % of what it states.
tmp=${TEST_TMP:?}
awk 'BEGIN {
  print "area,venue:household,venue:school,age,infected_at"
  for (i = 0; i < 2000000; i++)
    printf "%d,%d,%s,%d,%s\n", i / 300, i / 3, i % 5 ? "" : int(i / 900), (i * 7919) % 90,
      i % 10007 ? "" : "0"
}' >"$tmp/persons.csv"
head -n 31 "$tmp/persons.csv" >"$tmp/few.csv"

run() { # ranks name command world...
  n=$1 name=$2
  shift 2
  "$MPIEXEC" -q -n "$n" "$GRADUS" "$@" -quiet -progress none -overwrite -output "$tmp/$name.h5"
}
simulate() { # ranks name world
  run "$1" "$2" simulate -days 3 -world "$tmp/$3"
}
jacobian() { # ranks name
  run "$1" "$2" sensitivity -days 3 -world "$tmp/world.h5" -estimator pathwise -free \
    beta_household,beta_school,latent_period,profile_mean,profile_shape,delay_mean,delay_sd,importation_rate \
    -parameters_importation_rate 1e-4
}
simulate 1 base1 few.csv && simulate 4 base4 few.csv && simulate 1 one persons.csv &&
  simulate 4 four persons.csv && run 2 world world -world "$tmp/persons.csv" && jacobian 1 eight1 &&
  jacobian 4 eight4 || { echo "FAIL memory: a run failed"; exit 1; }
"$PYTHON" - "$tmp" <<'EOF'
import json, sys
N = 2e6
record = {n: json.load(open(f"{sys.argv[1]}/{n}.h5.run.json"))
          for n in ("base1", "base4", "one", "four", "eight1", "eight4")}
peak = {n: r["peak_memory_bytes"] for n, r in record.items()}
one = peak["one"][0] - peak["base1"][0]
shares = [(p - b) / one for p, b in zip(peak["four"], peak["base4"])]
print(f"one rank {one / N:.0f} bytes an agent at the peak; shares of four:", shares)
stated = sum(record["four"]["world_bytes"]) / N
print("ok" if stated <= one / N <= 4 * stated else "FAIL",
      f"the world states {stated:.0f} bytes an agent; measured {one / N:.0f} at the peak, "
      "with the model's and what reading takes")
good = all(0.25 * 0.7 <= s <= 0.25 * 1.3 for s in shares)
print("ok" if good else "FAIL", "memory of each of 4 ranks is a quarter of one rank's within 30 %:",
      " ".join(f"{s:.3f}" for s in shares))
for name in ("eight1", "eight4"):
    ratio = [p / s for p, s in zip(peak[name], record[name]["stated_memory_bytes"])]
    print("ok" if all(0.8 <= x <= 1.2 for x in ratio) else "FAIL",
          f"world.h5, 8 tangents, {len(ratio)} ranks: peak memory over what is stated:", " ".join(f"{x:.3f}" for x in ratio),
          f"({sum(peak[name]) / N:.0f} bytes an agent)")
EOF
