#!/bin/sh
# check_plan.sh - gradus plan from outside: same counts whoever asks, memory that holds      timeout: 300
#
# Counts of a plan made on 1, 2 and 3 ranks; stated memory against the peak of runs; runs in too little
# address space; a world without coordinates; tables, lines for Slurm, mistakes.
tmp=${TEST_TMP:?}
run="inputs/tiny/run.yaml"

verdict() { # name good
  if [ "$2" ]; then echo "ok $1"; else echo "FAIL $1"; fi
}

plan() { # ranks output option...
  n=$1 output=$tmp/$2 && shift 2
  "$MPIEXEC" -q -n "$n" "$GRADUS" plan "$@" -plan_ranks 1,2,3,8 -plan_ns 20 -progress none \
    -overwrite -output "$output" >"$tmp/said" 2>"$tmp/error"
}

# partition, ranks, agents, balance, cut, messages, bytes: columns 1 to 9
for n in 1 2 3; do
  plan $n plan$n.csv "$run" && cut -d, -f1-9 "$tmp/plan$n.csv" >"$tmp/counts$n" || echo "FAIL plan on $n"
done
verdict "1, 2 and 3 ranks count the same" \
  "$(cmp "$tmp/counts1" "$tmp/counts2" && cmp "$tmp/counts1" "$tmp/counts3" && echo 1)"
verdict "12 rows and a head" "$([ "$(wc -l <"$tmp/counts1")" -eq 13 ] && echo 1)"
plan 1 plan.json "$run" -plan_slurm 3
verdict "JSON is JSON" "$("$PYTHON" -m json.tool "$tmp/plan.json" >"$tmp/pretty" && echo 1)"

# The lines for Slurm follow from the table: memory + 20 % in grains of 64 MB, time + 50 % + 2 minutes.
slurm() { # command: is what was said right, and for that command?
  "$PYTHON" - "$tmp/said" "$tmp/plan.csv" "$1" <<'EOF'
import csv, math, re, sys
said, rows = open(sys.argv[1]).read(), list(csv.DictReader(open(sys.argv[2])))
def line(pattern): return re.search("^" + pattern + "$", said, re.M).groups()
tasks, mib, (hours, minutes) = int(*line(r"#SBATCH --ntasks=(\d+)")), int(*line(r"#SBATCH --mem-per-cpu=(\d+)M")), line(r"#SBATCH --time=(\d+):(\d\d):00")
runs, steps, seconds = map(float, line(r"# (\S+) runs of (\S+) steps, some (\S+) s with reading; .*"))
command, partition = line(r"mpirun -q gradus (\S+) inputs/\S+ -partition (\S+)")
mine = [r for r in rows if r["partition"] == partition]
row = next(r for r in mine if int(r["ranks"]) == tasks)
most = max(int(r["ranks"]) for r in mine if float(r["efficiency"]) >= 0.5 or r is mine[0])
work = runs * steps * float(row["step_seconds"])
def grains(bytes): return math.ceil(math.ceil(1.2 * bytes / 64e6) * 64e6 / 2**20)
right = (command == sys.argv[3] and tasks in (most, 3) and mib == grains(float(row["memory_peak"])) and work <= seconds * 1.01
         and seconds < work + 1 and abs(int(hours) * 60 + int(minutes) - math.ceil((1.5 * seconds + 120) / 60)) <= 1)
print("1" if right else "")
EOF
}
plan 1 plan.csv "$run" -plan_slurm 3 -plan_runs 9000
verdict "lines for Slurm as the table says, of a calibration" "$(grep -q '^#SBATCH --ntasks=3$' "$tmp/said" && slurm calibrate)"
plan 1 plan.csv "$run"
verdict "more ranks while they are worth it, 100 evaluations" "$(grep -q '^# 80000 runs of 60 steps' "$tmp/said" && slurm calibrate)"
plan 1 plan.csv inputs/sweep/sir_graph.yaml
verdict "a sweep" "$(slurm sweep)"
plan 1 plan.h5 "$run"
verdict "a plan is a table: exit 2" "$([ $? -eq 2 ] && echo 1)"
plan 1 plan.csv "$run" -plan_slurm 0
verdict "no ranks: exit 2" "$([ $? -eq 2 ] && echo 1)"

awk 'BEGIN { print "area,venue:house"; for (i = 0; i < 400; i++) printf "%d,%d\n", i / 10, i / 7 }' \
  >"$tmp/bare.csv"
plan 2 bare.csv.csv -world "$tmp/bare.csv"
verdict "without coordinates hilbert is blocks, and says so" "$(grep -q 'hilbert is blocks' "$tmp/said" &&
  [ "$(grep ^blocks "$tmp/bare.csv.csv" | cut -d, -f2-9)" = \
    "$(grep ^hilbert "$tmp/bare.csv.csv" | cut -d, -f2-9)" ] && echo 1)"

[ -z "$SAN" ] || { echo "skip memory (sanitizers)"; exit 0; }
rest="-days 4 -initial_cases 100 -progress none -quiet -overwrite"
for n in 1 2 4; do
  "$MPIEXEC" -q -n $n "$GRADUS" sensitivity -world synthetic:600000 $rest -free beta_household,beta_work,beta_leisure \
    -output "$tmp/r.h5" || echo "FAIL a run on $n ranks"
  told=$("$PYTHON" - "$tmp/r.h5.run.json" <<'EOF'
import json, sys
d = json.load(open(sys.argv[1]))
stated, peak = max(d["stated_memory_bytes"]), max(d["peak_memory_bytes"])
print("ok" if abs(stated / peak - 1) < 0.2 else "FAIL",
      f"stated memory on {d['ranks']} ranks within 20 % of the peak: {stated / 1e6:.0f}, {peak / 1e6:.0f} MB")
EOF
  )
  echo "$told"
done

# RLIMIT_AS counts address space, most of which MPI and libraries take before the run's own begins.
limited() { # kB ranks agents: a run with so much address space for each rank
  (ulimit -v "$1"
   "$MPIEXEC" -q -n "$2" "$GRADUS" sensitivity -world "synthetic:$3" $rest -free beta_household \
     -output "$tmp/s.h5" >"$tmp/out" 2>"$tmp/error")
}
space() { # ranks agents: kB of address space at the peak of a run
  limited 100000000 "$1" "$2" && "$PYTHON" -c \
    "import json; print(max(json.load(open('$tmp/s.h5.run.json'))['peak_address_bytes']) // 1024)"
}
for n in 1 4; do
  base=$(space $n 1000) need=$(space $n 600000)
  for share in 25 50 75 90; do
    limited $((base + (need - base) * share / 100)) $n 600000
    code=$?
    verdict "address space for $share % of the agents, $n ranks: exit 5, one line with need and limit ($code: $(head -c 160 "$tmp/error"))" \
      "$([ $code -eq 5 ] && [ "$(wc -l <"$tmp/error")" -eq 1 ] && grep -q 'needs.*the limit is' "$tmp/error" && echo 1)"
  done
done
