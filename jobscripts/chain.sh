#!/bin/sh
# chain.sh - world, calibrate, predict, figures: four jobs, each after the one before it
#
#   jobscripts/chain.sh RUN.yaml FOLDER -import persons -persons persons.csv
#   jobscripts/chain.sh RUN.yaml FOLDER -census census/england
#   SBATCH="sbatch -A project -n 64" jobscripts/chain.sh RUN.yaml FOLDER -import ...
#
# What follows FOLDER are options of `gradus world`.  FOLDER gets world.h5, posterior.h5,
# prediction.h5, the pictures and the logs.  What is there already is not made again: after a
# failure, the same command takes up the chain where it broke.  If a job fails, those after it are
# cancelled.  Prints the job numbers.
: "${SBATCH:=sbatch}"
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
run=$1 after=
mkdir -p "$2" && folder=$(cd "$2" && pwd) || exit
shift 2

submit() { # name file arguments...: unless the file is there
  name=$1 file=$2 && shift 2
  [ ! -e "$file" ] || return 0
  job=$($SBATCH --parsable -J "gradus-$name" -o "$folder/%x-%j.log" $after \
    --kill-on-invalid-dep=yes "$@") || exit
  after=--dependency=afterok:${job%%;*}
  echo "$name: job $job"
}

world=$folder/world.h5 posterior=$folder/posterior.h5 prediction=$folder/prediction.h5
submit world "$world" "$here/run.sbatch" "$run" world "$@" -output "$world"
submit calibrate "$posterior" "$here/calibrate.sbatch" "$run" -world "$world" -output "$posterior"
submit predict "$prediction" "$here/run.sbatch" "$run" predict -world "$world" \
  -posterior "$posterior" -output "$prediction"
submit figures "$folder/convergence.png" -n 1 "$here/figures.sbatch" "$posterior" "$prediction" "$folder"
