#!/bin/sh
# check_postprocess.sh - pictures and tables of real files; the installed library    timeout: 900
#
# Each script of postprocess/ on inputs/tiny's files: a PNG of more than 5 kB.  On a file of the
# wrong kind, a damaged one and none: one line "SCRIPT: error: ...", no traceback.  Then `make
# install` into a folder, and a program compiled and linked by gradus.pc.
tmp=${TEST_TMP:?}
export MPLCONFIGDIR="$tmp/matplotlib"
q="-quiet -progress none -overwrite"

run() { # command arguments...
  # shellcheck disable=SC2086
  "$MPIEXEC" -q -n 2 "$GRADUS" "$@" $q </dev/null || echo "FAIL gradus $1"
}

tiny=inputs/tiny/run.yaml
run calibrate $tiny -replicates 1 -draws 14 -start prior -tao_max_it 2 -output "$tmp/posterior.h5"
run predict $tiny -posterior "$tmp/posterior.h5" -samples 20 -output "$tmp/prediction.h5"
run sensitivity $tiny -replicates 4 -output "$tmp/sensitivity.h5"
run compare $tiny -estimators pathwise,fd -replicates 4 -reference_replicates 4 -output "$tmp/compare.h5"
run sensitivity $tiny -replicates 4 -keep mean -output "$tmp/mean.h5"

picture() { # name script arguments...
  name=$1
  shift
  rm -f "$tmp/it.png"
  "$PYTHON" -B "postprocess/$@" -output "$tmp/it.png" >"$tmp/said" 2>&1
  code=$?
  signature=$(head -c 8 "$tmp/it.png" 2>/dev/null | od -An -tx1 | tr -d ' ')
  if [ $code -eq 0 ] && [ "$signature" = 89504e470d0a1a0a ] && [ "$(wc -c <"$tmp/it.png")" -gt 5000 ]; then
    echo "ok $name"
  else
    echo "FAIL $name (exit code $code, signature '$signature')"
    tail -n 5 "$tmp/said"
  fi
}

if "$PYTHON" -c 'import matplotlib' 2>/dev/null; then
  picture "picture of the fit" plot_fit.py "$tmp/prediction.h5"
  picture "picture of the posterior" plot_posterior.py "$tmp/posterior.h5"
  picture "picture of the convergence" plot_convergence.py "$tmp/posterior.h5"
  picture "picture of the sensitivities" plot_sensitivity.py "$tmp/sensitivity.h5"
  picture "picture of the sensitivities by group" plot_sensitivity.py "$tmp/sensitivity.h5" -by group -observable onsets -elasticity
  picture "picture of the estimators" plot_compare.py "$tmp/compare.h5" -observables infections
  if "$PYTHON" -B - "$tmp/compare.h5" >"$tmp/said" 2>&1 <<'EOF'; then
import sys

sys.path.insert(0, "postprocess")
import gradus_file as gf
import plot_compare

with gf.open_file(sys.argv[1]) as f:
    names = [form.split(" ")[0] for form in gf.texts(f["compare/estimator"])]
    estimate, n_time = f["compare/estimate"][:], f["compare/time"].size


def look(figure, output):
    for axis in figure.axes:
        lines = [line for line in axis.lines if len(line.get_xdata()) == n_time]
        assert len(lines) == len(names) + 1 and len(axis.collections) == len(names), (lines, axis.collections)
    drawn = figure.axes[0].lines[0].get_ydata()
    assert abs(drawn - estimate[0, 0, :, 0]).max() == 0, drawn
    told = [text.get_text().split(" (")[0] for text in figure.axes[0].get_legend().get_texts()]
    assert told == ["reference"] + names, told


gf.save = look
sys.argv = ["plot_compare.py", sys.argv[1]]
plot_compare.main()
EOF
    echo "ok picture of the estimators: over time a line and a band of each, and the reference"
  else
    echo "FAIL picture of the estimators: over time a line and a band of each, and the reference"
    tail -n 5 "$tmp/said"
  fi
  picture "picture of the sensitivities, keep mean" plot_sensitivity.py "$tmp/mean.h5" -by group
else
  echo "skip pictures ($PYTHON has no matplotlib)"
fi

if "$PYTHON" -B postprocess/table.py "$tmp/posterior.h5" >"$tmp/said" 2>&1 &&
  [ "$(wc -l <"$tmp/said")" -eq 8 ] && grep -Eq '^beta_household +1 +[0-9.]+ ' "$tmp/said"; then
  echo "ok table of the posterior"
else
  echo "FAIL table of the posterior"
  tail -n 5 "$tmp/said"
fi

# One line, whatever is wrong with the file.
refuse() { # name script file
  (cd "$tmp" && "$PYTHON" -B "$OLDPWD/postprocess/$2" "$3") >"$tmp/out" 2>"$tmp/err" </dev/null
  code=$?
  if [ $code -ne 0 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -q "^$2: error: " "$tmp/err"; then
    echo "ok $2 refuses $1"
  else
    echo "FAIL $2 refuses $1 (exit code $code)"
    tail -n 3 "$tmp/err"
  fi
}

head -c 3000 "$tmp/posterior.h5" >"$tmp/half.h5"
for script in plot_fit.py plot_posterior.py plot_convergence.py table.py plot_sensitivity.py plot_compare.py; do
  case $script in plot_sensitivity.py) wrong=posterior.h5 ;; *) wrong=sensitivity.h5 ;; esac
  refuse "a file of another kind" $script "$tmp/$wrong"
  refuse "a truncated file" $script "$tmp/half.h5"
  refuse "a file that is not there" $script "$tmp/none.h5"
done

# The installed library.  -o: what is built stays as it is.
if [ -n "$SAN" ]; then
  echo "skip install (sanitizers)"
  exit 0
fi
if make -s install DESTDIR="$tmp/x" PREFIX=/usr BUILD="$BUILD" -o config.mk -o "$BUILD/gradus" \
  -o "$BUILD/libgradus.a" >"$tmp/said" 2>&1 && "$tmp/x/usr/bin/gradus" -version >>"$tmp/said" 2>&1; then
  echo "ok make install"
else
  echo "FAIL make install"
  tail -n 5 "$tmp/said"
fi
command -v pkg-config >/dev/null || { echo "skip gradus.pc (no pkg-config)"; exit 0; }
cat >"$tmp/user.c" <<'EOF'
#include <gradus/model.h>
#include <gradus/rng.h>
#include <gradus/world.h>
#include <stdio.h>

int main(int argc, char **argv)
{
  const rng_key key = {.seed = 1, .replicate = 2};
  double u;

  if (PetscInitialize(&argc, &argv, NULL, NULL)) return 1;
  u = rng_uniform(key, RNG_NOISE, 3, 4, 5);
  printf("%.17g\n", u);
  return PetscFinalize() || !(u > 0 && u < 1);
}
EOF
# What gradus.pc says is under the folder; PETSc, HDF5 and MPI are the machine's own.
sed "s|/usr/|$tmp/x/usr/|" "$tmp/x/usr/lib/pkgconfig/gradus.pc" >"$tmp/gradus.pc"
petsc=$(sed -n 's|^LDLIBS *= *-L\([^ ]*petsc[^ ]*\).*|\1/pkgconfig|p' config.mk 2>/dev/null)
PKG_CONFIG_PATH="$tmp:$petsc:$PKG_CONFIG_PATH" && export PKG_CONFIG_PATH
if flags=$(pkg-config --cflags --libs gradus 2>"$tmp/said") &&
  # shellcheck disable=SC2086
  ${CC:-mpicc} -std=gnu11 -Wall -Werror -o "$tmp/user" "$tmp/user.c" $flags >>"$tmp/said" 2>&1 &&
  (cd "$tmp" && "$MPIEXEC" -q -n 1 ./user) >>"$tmp/said" 2>&1; then
  echo "ok a program by gradus.pc compiles, links and runs"
else
  echo "FAIL a program by gradus.pc compiles, links and runs"
  tail -n 12 "$tmp/said"
fi
