#!/bin/sh
# check_errors.sh - what a person sees who gets it wrong                           timeout: 1200
#
# Each case is run on 1 and on 4 ranks: the same exit code, the same lines on standard error, as
# many as stated, each beginning "gradus: error: ", no stack trace, no banner, and in bounded time.
tmp=${TEST_TMP:?}
cp inputs/tiny/persons.csv "$tmp/persons.csv"
yaml() { printf '%s\n' "$@" >"$tmp/run.yaml"; }

# case NAME CODE LINES PATTERN args...: PATTERN (extended) must be found in the lines
expect() {
  name=$1 code=$2 lines=$3 pattern=$4 fault=
  shift 4
  for n in 1 4; do
    (cd "$tmp" && timeout 30 "$MPIEXEC" -q -n $n "$GRADUS" "$@") >"$tmp/out" 2>"$tmp/err.$n"
    got=$?
    [ $got -eq "$code" ] || fault="exit code $got, not $code, on $n ranks"
    grep -v '^gradus: error: ' "$tmp/err.$n" | grep -q . && fault="other lines on $n ranks"
    [ "$(wc -l <"$tmp/err.$n")" -eq "$lines" ] || fault="$(wc -l <"$tmp/err.$n") lines, not $lines"
    grep -Eq "$pattern" "$tmp/err.$n" || fault="no line matches $pattern on $n ranks"
  done
  sed 's/ranks, [14]$/ranks, N/' "$tmp/err.1" >"$tmp/said"
  sed 's/ranks, [14]$/ranks, N/' "$tmp/err.4" | cmp -s - "$tmp/said" || fault="1 and 4 ranks say different things"
  if [ -z "$fault" ]; then echo "ok $name"; else
    echo "FAIL $name: $fault"
    cat "$tmp/err.1" "$tmp/err.4"
  fi
}

q="-quiet -progress none"
yaml "world: persons.csv" "days: 30" "parameters: {beta_houshold: 0.3}" "dt: 0.3x" "dayz: 3"
expect "all mistakes of a run file at once, with line and column" 2 3 \
  'run.yaml:3:[0-9]+: beta_houshold: .*did you mean beta_household\?' simulate run.yaml $q -output o.h5
yaml "world: persons.csv" "days: 30" "days: 31"
expect "a duplicate key" 2 1 'run.yaml:3:1: days: .*(twice|duplicate|already)' simulate run.yaml $q -output o.h5
yaml "world: persons.csv" "days: [30"
expect "broken YAML" 2 1 'run.yaml:[0-9]+:[0-9]+: ' simulate run.yaml $q -output o.h5
yaml "world: nowhere.csv"
expect "a missing world" 3 1 'nowhere.csv' simulate run.yaml $q -output o.h5
yaml "world: nowhere.csv" "dais: 4"
expect "a wrong key and a missing world: the key" 2 1 'dais.*did you mean days' simulate run.yaml $q -output o.h5
expect "a missing run file" 3 1 'none.yaml' simulate none.yaml $q -output o.h5
yaml "world: persons.csv" "parameters: {beta_houshold: 0.3, dispersion: 1}"
expect "unknown parameters" 2 2 'beta_houshold.*did you mean beta_household' simulate run.yaml $q -output o.h5
yaml "world: persons.csv"
expect "an option of another command" 2 1 'draws' simulate run.yaml -draws 4 $q -output o.h5
expect "an unknown command" 2 1 'simulte.*did you mean simulate' simulte run.yaml
expect "an output that cannot be written" 4 1 'no/such/folder' simulate run.yaml $q -output no/such/folder/o.h5
touch "$tmp/there.h5"
# /sys takes no files, not even root's.
denied='cannot be written \((Permission denied|Read-only file system|Operation not permitted)\)'
expect "an output in a folder that is read only" 4 1 "/sys/kernel/o.h5.*$denied" simulate run.yaml $q -output /sys/kernel/o.h5
expect "a checkpoint there" 4 1 "/sys/kernel/c: $denied" simulate run.yaml $q -output o.h5 -checkpoint /sys/kernel/c
expect "an output that exists" 2 1 'there.h5.*overwrite' simulate run.yaml $q -output there.h5
expect "an unknown free parameter" 2 1 'beta_scool.*did you mean beta_school' sensitivity run.yaml -free beta_scool $q -output o.h5
expect "a wrong value of PETSc is not swallowed" 2 1 'tao_max_itt' calibrate run.yaml -free beta_school -data cases.csv -tao_max_itt 3 $q -output o.h5
expect "ranks_per_world that does not divide" 2 1 'ranks_per_world' simulate run.yaml -ranks_per_world 3 $q -output o.h5
printf 'area,x,y\n1,2,3\n2,abc,4\n' >"$tmp/bad.csv"
expect "a bad cell, with file, line and column" 3 1 'bad.csv:3:2: ' simulate -world bad.csv $q -output o.h5
printf 'area,age\n1,2\n2\n' >"$tmp/bad.csv"
expect "a short line" 3 1 'bad.csv:3' simulate -world bad.csv $q -output o.h5
"$GRADUS" world -import persons -persons "$tmp/persons.csv" -output "$tmp/w.h5" $q
size=$(wc -c <"$tmp/w.h5")
head -c $((size / 2)) "$tmp/w.h5" >"$tmp/half.h5"
expect "a truncated world" 3 1 'half.h5' simulate -world half.h5 $q -output o.h5
cp "$tmp/w.h5" "$tmp/flip.h5"
printf 'gradus' | dd of="$tmp/flip.h5" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
expect "a flipped byte" 3 1 'flip.h5.*SHA-256' simulate -world flip.h5 $q -output o.h5
printf 'day,onsets\n0,1\n1,x\n' >"$tmp/cases.csv"
expect "a bad cell in the data" 3 1 'cases.csv:3:2: ' calibrate run.yaml -free beta_school -data cases.csv $q -output o.h5
expect "a wrong prior" 2 1 'beta_school.*normal' calibrate run.yaml -free beta_school -data cases.csv -prior_beta_school 'normel(0,1)' $q -output o.h5
expect "a prior of nothing" 2 1 'beta_scool' calibrate run.yaml -free beta_school -data cases.csv -prior_beta_scool 'normal(0,1)' $q -output o.h5

# Graphs.
graph() { # what code lines pattern csv: the table of edges that is read
  printf "$5" >"$tmp/graph.csv"
  expect "a graph: $1" "$2" "$3" "$4" simulate -model sir_graph -graph graph.csv $q -output o.h5
}
graph "three columns" 3 1 'graph.csv:3: graph: has not two columns' 'a,b\n0,1\n1,2,3\n'
graph "a loop" 3 1 'graph.csv:4: graph: joins a node to itself' 'a,b\n0,1\n\n3,3\n'
graph "an edge twice" 3 1 'graph.csv: graph: edge 0,2 is there twice' 'a,b\n0,2\n1,2\n2,0\n'
graph "no edges" 3 1 'graph.csv: graph: has no edges' 'a,b\n'
expect "a graph: options out of range" 2 2 'graph_rewire: 1.5' simulate -model sir_graph -graph_rewire 1.5 -graph_seed -1 $q -output o.h5
expect "a graph: an odd degree" 2 1 'graph_degree: 3 is odd' simulate -model sir_graph -graph_degree 3 $q -output o.h5

# Solver options: value, key and type, all at once, with their place.
yaml "world: persons.csv" "free: [beta_school]" "data: cases.csv" "tao: {type: lmvn, max_it: x, gatol: -1, max_itt: 3}"
printf 'day,onsets\n0,1\n1,2\n' >"$tmp/cases.csv"
expect "all mistakes of solver options at once" 2 4 'run.yaml:4:[0-9]+: tao_max_it: .x. is not a whole' calibrate run.yaml $q -output o.h5
expect "the place of a wrong tao_type" 2 4 'run.yaml:4:7: tao_type: lmvn' calibrate run.yaml $q -output o.h5
yaml "world: persons.csv" "free: [beta_school]" "data: cases.csv"
expect "a solver value that is no number" 2 2 'tao_gatol: .x. is not a finite' calibrate run.yaml -tao_gatol x -tao_max_it 1e3 $q -output o.h5
expect "a solver value that PETSc refuses" 2 1 'tao_\*: .*nosuch' calibrate run.yaml -tao_ls_type nosuch $q -output o.h5
expect "a wrong type of TAO on the command line" 2 1 'command line: -tao_type: lmvn' calibrate run.yaml -tao_type lmvn $q -output o.h5

# What a command does not use, it does not take; what it reads, check opens.
# shellcheck disable=SC2086
for unused in "predict -parameters_beta_school 1" "predict -prior_beta_school normal(0,1)" "predict -free beta_school" \
  "predict -estimator fd" "predict -fd_step 0.1" "predict -keep mean" "predict -replicates 5" \
  "predict -pathwise_accept_bias true" "calibrate -by area" "calibrate -keep mean" "calibrate -fd_step 0.1"; do
  set -- $unused
  more="-posterior half.h5"
  [ "$1" = calibrate ] && more="-free beta_school"
  expect "$unused is refused" 2 1 "line: $2: is not used by $1" "$1" run.yaml "$2" "$3" $q -data cases.csv -output o.h5 $more
done
expect "check opens the posterior" 3 1 'nofile.h5' check run.yaml -posterior nofile.h5
expect "check opens the posterior: damaged" 3 1 'half.h5' check run.yaml -posterior half.h5
expect "check opens the table of persons" 3 1 'nofile.csv' check -import persons -persons nofile.csv
expect "check opens another table of persons" 3 1 'bad.csv:3' check run.yaml -import persons -persons bad.csv
yaml "world: w.h5" "initial_cases: 1000000" "profile: erlang" "parameters:" "  profile_shape: 2.5" "dayz: 1"
expect "more initial cases than agents, and no whole shape" 2 3 'run.yaml:2:1: initial_cases: .*more than' simulate run.yaml $q -output o.h5
expect "no whole shape" 2 3 'run.yaml:5:3: profile_shape: 2.5 is not a whole' simulate run.yaml $q -output o.h5

# Rates of an event history are not those of a simulation.
yaml "world: persons.csv" "loss: event_history"
for command in simulate sensitivity; do
  expect "$command with loss: event_history" 2 1 'run.yaml:2:1: loss: event_history.*hazards per day' $command run.yaml $q -output o.h5
done
expect "a parameter that the event history does not know" 2 1 "latent_period cannot be free" \
  calibrate "$PWD/inputs/hagelloch/history.yaml" -free latent_period,beta_house $q -output o.h5
"$GRADUS" calibrate inputs/hagelloch/history.yaml -draws 16 -samples 10 -tao_max_it 2 -output "$tmp/history.h5" $q
cp inputs/hagelloch/persons.csv inputs/hagelloch/onsets.csv "$tmp/"
sed 's/^replicates: .*/replicates: 2/' inputs/hagelloch/run.yaml >"$tmp/run.yaml"
for command in predict check; do
  expect "$command from the posterior of an event history" 2 1 'command line: -posterior: .*history.h5: .*hazards per day' \
    $command run.yaml -posterior history.h5
done
cp inputs/tiny/persons.csv "$tmp/persons.csv"

# A run that fails says so beside its output.
yaml "world: bad.csv"
rm -f "$tmp"/o.h5.status.json
for command in simulate sensitivity; do
  expect "$command that fails while it loads" 3 1 'bad.csv:3' $command run.yaml $q -output o.h5
  if grep -q '"state": "failed"' "$tmp/o.h5.status.json"; then echo "ok $command leaves state failed"; else
    echo "FAIL $command leaves another state"
    cat "$tmp/o.h5.status.json"
  fi
  rm -f "$tmp/o.h5.status.json"
done
yaml "world: persons.csv"
for kind in o.h5 o.h5.part; do
  [ -e "$tmp/$kind" ] && echo "FAIL a failed run left $kind"
done

# What is right exits 0.
for good in "-help" "simulate -help" "-version" "-print_defaults" "check $tmp/run.yaml"; do
  # shellcheck disable=SC2086
  if "$GRADUS" $good >"$tmp/out" 2>"$tmp/err" && [ -s "$tmp/out" ]; then echo "ok gradus ${good%% /*}"; else
    echo "FAIL gradus $good"
    cat "$tmp/err"
  fi
done
if "$GRADUS" simulate "$tmp/run.yaml" -overwrite -output "$tmp/full.h5" >/dev/full 2>"$tmp/err"; then
  echo "FAIL a full standard output"
else
  [ $? -eq 4 ] && echo "ok a full standard output" || echo "FAIL a full standard output: wrong code"
fi
for output in "" "-quiet"; do
  # shellcheck disable=SC2086
  "$GRADUS" simulate "$tmp/run.yaml" $output -progress none -overwrite -output "$tmp/full.h5" >&- 2>"$tmp/err"
  code=$? expected=$([ "$output" ] && echo 0 || echo 4)
  if [ $code -eq "$expected" ] && [ "$(grep -c 'standard output: cannot be written' "$tmp/err")" -eq $((expected / 4)) ] &&
    "$GRADUS" info "$tmp/full.h5" >/dev/null; then
    echo "ok a closed standard output $output: exit $code, the result is whole"
  else
    echo "FAIL a closed standard output $output: exit $code: $(head -c 200 "$tmp/err")"
  fi
done
