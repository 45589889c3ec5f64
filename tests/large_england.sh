#!/bin/sh
# large_england.sh - all of England and of Massachusetts: build, write, read, 60 days, and
# their Jacobian by 8 parameters   `make england`
#
# Needs ../shared/data, 24 GB and some minutes; RANKS (2), SCALE (1) and COUNTRIES may be given.
# Prints a table of times, peak memory of all ranks together and sizes of files, after the reports
# of marginals; they are also in $OUT (default: build/england).
: "${GRADUS:=$PWD/build/gradus}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}" "${RANKS:=2}" "${SCALE:=1}"
: "${OUT:=$PWD/build/england}" "${COUNTRIES:=massachusetts_2000 england_2011}"
mkdir -p "$OUT"

run() { # name command args...
  name=$1
  shift
  "$MPIEXEC" -n "$RANKS" "$GRADUS" "$@" -overwrite -progress none -output "$OUT/$name.h5" ||
    { echo "FAIL $name"; exit 1; }
}

for data in $COUNTRIES; do
  country=${data%_*}
  [ -d "../shared/data/$data" ] || { echo "skipped: $country, since ../shared/data/$data is not there"; continue; }
  run "$country" world -census "../shared/data/$data" -census_mapping "inputs/$country/census.yaml" \
    -scale "$SCALE" -report "$OUT/$country.csv"
  run "$country-60" simulate -world "$OUT/$country.h5" -days 60 -initial_cases 1000 -by region
  # the whole Jacobian, by 8 parameters: 296 bytes an agent
  run "$country-60-jacobian" sensitivity -world "$OUT/$country.h5" -days 60 -initial_cases 1000 -by region \
    -estimator pathwise -replicates 1 -free \
    beta_household,beta_school,beta_company,beta_university,latent_period,profile_mean,delay_mean,delay_sd
done
if [ -d ../shared/data/england_2011 ]; then # a million agents: the same file on any number of ranks
  for n in 1 2 3 4 8; do
    "$MPIEXEC" -n $n "$GRADUS" world -census ../shared/data/england_2011 -quiet -overwrite \
      -census_mapping inputs/england/census.yaml -scale 0.02 -output "$OUT/million.$n.h5" &&
      cmp "$OUT/million.1.h5" "$OUT/million.$n.h5" && echo "same bytes on $n ranks"
    [ $n -eq 1 ] || rm -f "$OUT/million.$n.h5" "$OUT/million.$n.h5.run.json"
  done
fi
"$PYTHON" - "$OUT" <<'EOF'
import glob, json, os, sys
print(f"{'file':<20} {'seconds':>8} {'peak, GB':>9} {'file, GB':>9} {'ranks':>6}")
for path in sorted(glob.glob(f"{sys.argv[1]}/*.h5.run.json")):
    job, h5 = json.load(open(path)), path[:-len(".run.json")]
    peak = job["peak_memory_bytes"]
    print(f"{os.path.basename(h5):<20} {job['seconds']:8.1f} {sum(peak) / 1e9:9.2f} "
          f"{os.path.getsize(h5) / 1e9:9.3f} {len(peak):6d}")
EOF
