#!/bin/sh
# check_errors.sh - what a person sees who gets it wrong                           timeout: 1200
#
# Each case is run on 1 and on 4 ranks: the same exit code, the same lines on standard error, as
# many as stated, each beginning "gradus: error: ", no stack trace, no banner, and in bounded time.
# What only words differ in is run on one rank.
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

# One line each, on one rank.
says() { # code text args...
  code=$1 text=$2
  shift 2
  # shellcheck disable=SC2086
  (cd "$tmp" && timeout 30 "$GRADUS" "$@" $q -overwrite) >"$tmp/out" 2>"$tmp/err"
  got=$?
  if [ $got -eq "$code" ] && [ "$(grep -c '^gradus: error: ' "$tmp/err")" -eq 1 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
    grep -Fq -- "$text" "$tmp/err"; then
    echo "ok $1: $text"
  else
    echo "FAIL $1: $text: exit code $got"
    cat "$tmp/err"
  fi
}
printf 'day,onsets\n0,1\n1,2\n' >"$tmp/cases.csv"
here="-world persons.csv -days 5"
set -f
# shellcheck disable=SC2086
{
  says 2 "-persons: is required by import" check $here -import persons
  says 2 "-persons: is read with import" check $here -persons persons.csv
  says 2 "none.txt: the name of a table of persons ends in .csv" check $here -import persons -persons none.txt

  says 2 "-persons: is required by import" world -import persons -output o.h5
  says 2 "none.txt: the name of a table of persons ends in .csv" world -import persons -persons none.txt -output o.h5
  says 2 "-persons: is read with import" world -world persons.csv -persons persons.csv -output o.h5
  says 2 "-world: is required" world -output o.h5
  says 2 "-world: is required" simulate -output o.h5
  says 2 "-world: model sir_ode makes its own" simulate -model sir_ode -world persons.csv -output o.h5

  says 2 "-runs: fd is no estimator:count" compare $here -runs fd -replicates 4
  says 2 "-replicates: 1 runs of fd: compare needs 2 to" compare $here -replicates 4 -estimators fd -runs fd:1
  says 2 "-estimators: none of them can run on this model" compare -model sir_ode -estimators st
  says 2 "-times: 7.7 is not a time of the run" compare $here -replicates 4 -estimators fd -times 7.7
  says 2 "reference: model game_of_life offers none that is exact" compare -model game_of_life -steps 3 -replicates 4 \
    -estimators score -reference exact -reference_replicates 4
  says 2 "-plan_ranks: 0: up to" plan $here -plan_ranks 0 -output plan.csv

  says 2 "-estimator: none gives no sensitivities" sensitivity $here -estimator none -output o.h5
  says 2 "-clock: st runs on the step clock" sensitivity $here -estimator st -clock threshold -output o.h5
  says 2 "-free: beta_school is 0, on its bound" sensitivity $here -free beta_school -parameters_beta_school 0 -output o.h5
  says 2 "-free: initial_fraction = 0.9 +- 0.81 leaves (0, 1)" sensitivity -model sir_ode -free initial_fraction \
    -parameters_initial_fraction 0.9 -estimator fd -fd_step 0.9 -output o.h5
  says 2 "-free: seed is an option and no parameter" sensitivity $here -free seed -output o.h5

  fit="calibrate -world persons.csv -data cases.csv -free beta_school,beta_household"
  says 2 "-estimator: st does not give the exact gradient" $fit -estimator st -output o.h5
  says 2 "-draws: 1 is too few: a spread needs at least 2" $fit -draws 1 -output o.h5
  says 2 "-draws: 3 is too few for family mvn with 2 free" $fit -draws 3 -family mvn -output o.h5
  says 2 "-data_by: grup: unknown attribute; did you mean group?" $fit -data_by grup -output o.h5
  says 3 "cases.csv:1:2: onsets: is no group of group (the first one is adult)" $fit -data_by group -output o.h5
  says 3 "world: infectious_at: no attribute of that name" $fit -loss event_history -output o.h5
  (cd "$tmp" && "$GRADUS" $fit -prior_beta_school 'normal(0.3,0.1)' -prior_beta_household 'normal(0.3,0.1)' -replicates 1 -start prior \
    -family normal -draws 2 -tao_max_it 1 -samples 20 -days 30 -parameters_profile_shape 2.5 $q -overwrite -output p.h5) || echo "FAIL a posterior"
  says 2 "-posterior: is required" predict $here -data cases.csv -output o.h5
  says 3 "is it the posterior of another model?" predict -model sir_ode -steps 30 -data_observable infections -posterior p.h5 -data cases.csv \
    -output o.h5
  says 3 "dispersion is not there" predict -world persons.csv -days 30 -posterior p.h5 -data cases.csv -loss negative_binomial -output o.h5

  says 2 "profile_shape: 2.5 is not a whole number up to 64" predict -world persons.csv -days 30 -profile erlang -posterior p.h5 \
    -data cases.csv -output o.h5

  says 2 "initial_cases: 1000000 are more than the 200 agents" simulate $here -initial_cases 1000000 -output o.h5
  says 2 "-initial_attribute: the world has no attribute none" simulate $here -initial_attribute none -output o.h5
  says 3 "known_until: the world has no attribute none" simulate $here -known_until 3 -onset_attribute none -output o.h5
  says 3 "world: group: agent 0 has adult, which is no number" simulate -world w.h5 -initial_attribute group -output o.h5
  says 2 "-susceptibility_groups: needs susceptibility_by" simulate $here -susceptibility_groups a -output o.h5
  says 2 "-susceptibility_by: the world has no attribute none" simulate $here -susceptibility_by none -susceptibility_groups a -output o.h5
  says 2 "-susceptibility_groups: 0 groups: there must be" simulate $here -susceptibility_by group -output o.h5
  says 2 "susceptibility_groups: none: no agent has this group" simulate $here -susceptibility_by group \
    -susceptibility_groups none -output o.h5
  says 2 "-susceptibility_by: is not in the loss event_history" calibrate "$PWD/inputs/hagelloch/history.yaml" \
    -susceptibility_by class -susceptibility_groups 1 -output o.h5
  says 2 "-days: 100000 days are more than" simulate -world persons.csv -days 100000 -dt 0.01 -output o.h5
  says 2 "-malloc_zzzzqqq: unknown option of PETSc" simulate $here -malloc_zzzzqqq -output o.h5
  says 2 "-max_walltime: \"1parsec\" is no time" simulate $here -max_walltime 1parsec -output o.h5
  says 2 "-max_walltime: has no effect without a checkpoint" simulate $here -max_walltime 10s -checkpoint none -output o.h5
  says 4 "persons.csv/c: cannot be written (Not a directory)" simulate $here -checkpoint persons.csv/c -output o.h5

  says 6 "sir_ode: beta times graph_nodes is a hazard of" simulate -model sir_ode -graph_nodes 1000000000 -parameters_beta 0.9 \
    -steps 2 -output o.h5

  # tables
  printf 'area,%080d\nA,1\n' 0 >"$tmp/t.csv"
  says 3 "a name of more than 63 bytes" simulate -world t.csv -output o.h5
  printf 'area,day0\nA,x\nA,y\n' >"$tmp/t.csv"
  says 3 "world: day0: not a number in line 2 of the table" simulate -world t.csv -days 2 -onset_attribute day0 -known_until 3 -output o.h5
  awk 'BEGIN { print "area,income"; for (i = 0; i < 70000; i++) print "A," i }' >"$tmp/t.csv"
  says 3 "by: income: more than 65536 different values" simulate -world t.csv -days 1 -by income -output o.h5
  hub() { awk -v n="$1" 'BEGIN { print "a,b"; for (i = 1; i <= n; i++) print "0," i }' >"$tmp/t.csv"; }
  hub 1025
  says 3 "graph: a node has 1025 edges, over the 1024" simulate -model sir_graph -graph t.csv -steps 1 -output o.h5
  hub 1024
  if "$GRADUS" simulate -model sir_graph -graph "$tmp/t.csv" -steps 1 $q -overwrite -output "$tmp/hub.h5"; then
    echo "ok a graph with a node of 1,024 edges"
  else
    echo "FAIL a graph with a node of 1,024 edges"
  fi

  # designs of a sweep
  sweep="sweep $here -replicates 1 -estimator none -resamples 0 -times 5 -free beta_school -range_beta_school 0.1,0.5"
  says 2 "-design: csv needs a table of points" $sweep -design csv -output o.h5
  says 2 "-candidates: 4 are fewer than the 9" $sweep -design morris -points 9 -candidates 4 -output o.h5
  says 2 "-sweep_part: 9/99: more parts than points" $sweep -points 4 -sweep_part 9/99 -output o.h5
  says 2 "-replicates: 1000 at 300000 points" sweep $here -free beta_school -range_beta_school 0.1,0.5 -points 100000 \
    -replicates 1000 -random_numbers independent -output o.h5
  design() { # text rows
    printf "$2" >"$tmp/d.csv"
    says 3 "$1" $sweep -design csv -design_file d.csv -output o.h5
  }
  design "d.csv:1:1: design_file: beta_scool is no free parameter" 'beta_scool\n0.2\n'
  design "d.csv:1:2: design_file: beta_school is there twice" 'beta_school,beta_school\n0.2,0.3\n'
  design "d.csv:2:1: beta_school: 0.9 is outside its range" 'beta_school\n0.9\n'
  design "d.csv:2: design_file: 2 columns, the header has 1" 'beta_school\n0.2,3\n'
  design "d.csv: design_file: has no points" 'beta_school\n'
  printf 'beta_school\n0.2\n' >"$tmp/d.csv"
  says 2 "-sweep_part: more parts than points" $sweep -design csv -design_file d.csv -sweep_part 1/2 -output o.h5
  for part in 1/2 1/3; do
    (cd "$tmp" && "$GRADUS" $sweep -points 4 -sweep_part $part $q -overwrite -output "s${part#1/}.h5") || echo "FAIL part $part"
  done
  cp "$tmp/s2.h5" "$tmp/again.h5"
  says 3 "s3.h5: is part 1 of 3, s2.h5 one of 2 parts" sweep -merge s2.h5,s3.h5 -output o.h5
  says 3 "again.h5: part 1 is there twice" sweep -merge s2.h5,again.h5 -output o.h5
  says 3 "none.h5: merge: no such file" sweep -merge none.h5 -output o.h5
}
set +f

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
