#!/bin/sh
# bench_partition.sh - England dealt to 2 to 1,024 ranks by each partitioner: make bench-partition
#
# A tenth of England's residents (SCALE), planned times ten: cut, bytes sent and time of a step as a table
# and a figure in $OUT (build/partition).  NS an agent's step, if it is not to be measured here.  Then the
# sample itself: predicted and measured milliseconds of a step on 1 and 2 ranks.
: "${GRADUS:=$PWD/build/gradus}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}" "${SCALE:=0.1}"
: "${OUT:=$PWD/build/partition}"
data=../shared/data/england_2011
[ -d $data ] || { echo "skipped: $data is not there"; exit 0; }
mkdir -p "$OUT"
quietly="-quiet -progress none -overwrite"
run="-world $OUT/england.h5 -days 60 -initial_cases 1000 -estimator none"
say() { echo "FAIL $1" && exit 1; }

# shellcheck disable=SC2086
{
  [ -s "$OUT/england.h5" ] || "$MPIEXEC" -q -n 2 "$GRADUS" world -census $data -census_mapping \
    inputs/england/census.yaml -scale "$SCALE" $quietly -output "$OUT/england.h5" || say world
  "$GRADUS" plan $run -plan_ranks 1,2,4,8,16,32,64,128,256,512,1024 -plan_scale "$("$PYTHON" -c "print(1 / $SCALE)")" \
    ${NS:+-plan_ns "$NS"} $quietly -output "$OUT/plan.csv" || say plan
  "$PYTHON" postprocess/plot_plan.py "$OUT/plan.csv" -output "$OUT/plan_england.png" \
    -title "England, 7,707 wards, 53 million residents (a sample of $SCALE)" || say figure
  "$GRADUS" plan $run -plan_ranks 1,2 ${NS:+-plan_ns "$NS"} $quietly -output "$OUT/here.csv" || say "plan of the sample"
  for n in 1 2; do
    "$MPIEXEC" -q -n $n "$GRADUS" simulate $run $quietly -output "$OUT/run$n.h5" || say "run on $n ranks"
  done
}
"$PYTHON" - "$OUT" <<'EOF_TABLE'
import csv, json, sys
kinds = ("blocks", "hilbert", "ptscotch")
plan, here = ({(row["partition"], int(row["ranks"])): {k: float(v) for k, v in row.items() if k != "partition"}
               for row in csv.DictReader(open(f"{sys.argv[1]}/{name}.csv"))} for name in ("plan", "here"))
print("| ranks |" + "".join(f" {what} {kind} |" for what in ("cut [million]", "MB sent", "efficiency") for kind in kinds)
      + " balance hilbert | ptscotch | ms hilbert | MB hilbert |")
print("|---|" + 13 * "---|")
for n in sorted({ranks for _, ranks in plan} - {1}):
    row = [plan[kind, n] for kind in kinds]
    print(f"| {n:,} |" + "".join(f" {r['cut'] / 1e6:.1f} |" for r in row) + "".join(
        f" {r['bytes_max'] / 1e6:.3g} |" for r in row) + "".join(f" {r['efficiency']:.2f} |" for r in row) +
          f" {row[1]['balance']:.2f} | {row[2]['balance']:.2f} | {1e3 * row[1]['step_seconds']:.4g} |"
          f" {row[1]['memory_peak'] / 1e6:.0f} |")
print(f"\none rank: {1e3 * plan['hilbert', 1]['step_seconds']:.4g} ms at {plan['hilbert', 1]['ns_per_agent_step']:.3g} ns")
for n in (1, 2):
    took = json.load(open(f"{sys.argv[1]}/run{n}.h5.run.json"))["step_seconds"]
    print(f"the sample on {n} ranks: predicted {1e3 * here['hilbert', n]['step_seconds']:.4g} ms a step, measured {1e3 * took:.4g}")
EOF_TABLE
