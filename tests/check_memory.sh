#!/bin/sh
# check_memory.sh - nothing is gathered on one rank                                timeout: 600
#
# 3,000,000 persons in a table, read, partitioned and run.  Peak memory of each of 4 ranks, less
# what the program takes with next to nothing, is a quarter of one rank's within 30 %.
tmp=${TEST_TMP:?}
awk 'BEGIN {
  print "area,venue:household,venue:school,age,infected_at"
  for (i = 0; i < 3000000; i++)
    printf "%d,%d,%s,%d,%s\n", i / 300, i / 3, i % 5 ? "" : int(i / 900), (i * 7919) % 90,
      i % 10007 ? "" : "0"
}' >"$tmp/persons.csv"
head -n 31 "$tmp/persons.csv" >"$tmp/few.csv"

run() { # ranks name world
  "$MPIEXEC" -q -n "$1" "$GRADUS" simulate -world "$tmp/$3" -days 3 -quiet -progress none \
    -overwrite -output "$tmp/$2.h5"
}
run 1 base1 few.csv && run 4 base4 few.csv && run 1 one persons.csv && run 4 four persons.csv ||
  { echo "FAIL memory: a run failed"; exit 1; }
"$PYTHON" - "$tmp" <<'EOF'
import json, sys
peak = {n: json.load(open(f"{sys.argv[1]}/{n}.h5.run.json"))["peak_memory_bytes"]
        for n in ("base1", "base4", "one", "four")}
one = peak["one"][0] - peak["base1"][0]
shares = [(p - b) / one for p, b in zip(peak["four"], peak["base4"])]
print(f"one rank {one / 3e6:.0f} bytes an agent at the peak; shares of four:", shares)
stated = sum(json.load(open(f"{sys.argv[1]}/four.h5.run.json"))["world_bytes"]) / 3e6
print("ok" if stated <= one / 3e6 <= 4 * stated else "FAIL",
      f"the world states {stated:.0f} bytes an agent; measured {one / 3e6:.0f} at the peak, "
      "with the model's and what reading takes")
good = all(0.25 * 0.7 <= s <= 0.25 * 1.3 for s in shares)
print("ok" if good else "FAIL", "memory of each of 4 ranks is a quarter of one rank's within 30 %:",
      " ".join(f"{s:.3f}" for s in shares))
EOF
