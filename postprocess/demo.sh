#!/bin/sh
# demo.sh - Hagelloch from the table of persons to the posterior and its pictures; called by make demo
#
# Everything goes to $BUILD/demo.  Environment: GRADUS BUILD MPIEXEC PYTHON RANKS (2).
set -e
cd "$(dirname "$0")/.."
: "${BUILD:=$PWD/build}" "${MPIEXEC:=mpirun}" "${RANKS:=2}"
: "${GRADUS:=$BUILD/gradus}" "${PYTHON:=$(sed -n 's/^PYTHON *= *//p' config.mk 2>/dev/null)}"
: "${PYTHON:=python3}"
case=inputs/hagelloch out=$BUILD/demo

# Root may start MPI; with more ranks than cores, ranks that wait must yield.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_hwloc_base_binding_policy=none

run() { # gradus with its arguments, said and done
  echo "\$ mpirun -n $RANKS gradus $*"
  "$MPIEXEC" -q -n "$RANKS" "$GRADUS" "$@" -overwrite
}

draw() { # script arguments...: the picture's path is printed at the end
  "$PYTHON" -B "postprocess/$@" >/dev/null
}

[ -x "$GRADUS" ] || { echo "demo.sh: error: $GRADUS: no program (run make)" >&2; exit 1; }
mkdir -p "$out"
start=$(date +%s)
run world -import persons -persons $case/persons.csv -output "$out/hagelloch.h5"
run calibrate $case/run.yaml -world "$out/hagelloch.h5" -output "$out/posterior.h5"
fitted=$(date +%s)
run predict $case/run.yaml -world "$out/hagelloch.h5" -posterior "$out/posterior.h5" \
  -output "$out/prediction.h5"
run sensitivity $case/run.yaml -world "$out/hagelloch.h5" -replicates 500 \
  -output "$out/sensitivity.h5"
run calibrate $case/history.yaml -world "$out/hagelloch.h5" -output "$out/history.h5"

draw plot_fit.py "$out/prediction.h5" -names "before school,first class,second class" \
  -output "$out/fit.png"
draw plot_posterior.py "$out/posterior.h5" -output "$out/posterior.png"
draw plot_posterior.py "$out/history.h5" -output "$out/history.png"
draw plot_convergence.py "$out/posterior.h5" -output "$out/convergence.png"
draw plot_sensitivity.py "$out/sensitivity.h5" -observable infections -by class -elasticity \
  -output "$out/sensitivity.png"

echo
echo "Posterior from daily onsets by class (doses per pair over an infectious life)"
"$PYTHON" -B postprocess/table.py "$out/posterior.h5"
echo
echo "Posterior from the event history of each child (per day and infectious child)"
"$PYTHON" -B postprocess/table.py "$out/history.h5"
echo
echo "Pictures, in $out"
echo "  fit.png          daily onsets and predictive bands, by class"
echo "  posterior.png    posterior and prior, pairs (from daily onsets)"
echo "  history.png      the same from the event history"
echo "  convergence.png  the optimiser's way"
echo "  sensitivity.png  what each rate does to infections, by class"
echo "world and calibration took $((fitted - start)) s, all $(($(date +%s) - start)) s"
