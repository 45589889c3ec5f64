#!/bin/sh
# sweep.sh - submit a sweep in N parts, and a job that merges them when all are done
#
#   jobscripts/sweep.sh N OUTPUT.h5 RUN.yaml [-option value ...]
#   SBATCH="sbatch -p short -n 16 -t 2:00:00" jobscripts/sweep.sh 100 sweep.h5 my/run.yaml
#
# Only parts that are missing are submitted: after failures, the same command completes the sweep.
# Prints the job numbers.  The merged file has the bytes of a sweep in one run; the parts stay.
: "${SBATCH:=sbatch}"
here=$(dirname "$0")
[ $# -ge 3 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
n=$1 output=$2 run=$3
shift 3

missing='' parts='' k=1
while [ "$k" -le "$n" ]; do
  part=${output%.h5}.part$k.h5
  parts=$parts${parts:+,}$part
  [ -e "$part" ] || missing=$missing${missing:+,}$k
  k=$((k + 1))
done

after=
if [ -n "$missing" ]; then
  array=$($SBATCH --parsable --array="$missing" "$here/sweep.sbatch" "$n" "$output" "$run" "$@") || exit
  echo "parts $missing: job $array"
  after=--dependency=afterok:${array%%;*}
fi
merge=$($SBATCH --parsable -n 1 $after --kill-on-invalid-dep=yes "$here/run.sbatch" "$run" sweep \
  -merge "$parts" -output "$output" "$@") || exit
echo "merge: job $merge"
