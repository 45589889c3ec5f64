#!/bin/sh
# large_england.sh - all of England and of Massachusetts: build, write, read, 60 days, and
# their Jacobian by 8 parameters   `make england`
#
# Needs ../shared/data, 24 GB and some minutes; RANKS (2), SCALE (1) and COUNTRIES may be given.
# Ends with FAIL and exit code 1 if a marginal is more than 2 % from its table in all or 5 % in a zone
# (census_counts.py: counted from the file, and as reported), if all ranks together take more than 24 GB,
# or if the epidemic dies out.  Prints a table of times, peak memory and sizes of files.  All of it is
# also in $OUT (default: build/england).
: "${GRADUS:=$PWD/build/gradus}" "${MPIEXEC:=mpirun}" "${PYTHON:=python3}" "${RANKS:=2}" "${SCALE:=1}"
: "${OUT:=$PWD/build/england}" "${COUNTRIES:=massachusetts_2000 england_2011}"
mkdir -p "$OUT"
failed=0
# rates with which it spreads to the end, and the eight parameters of the Jacobian
growing="-parameters_beta_household 1 -parameters_beta_school 2 -parameters_beta_company 2"
free=beta_household,beta_school,beta_company,latent_period,profile_mean,delay_mean,delay_sd

run() { # name command args...
  name=$1
  shift
  "$MPIEXEC" -n "$RANKS" "$GRADUS" "$@" -overwrite -progress none -output "$OUT/$name.h5" ||
    { echo "FAIL $name"; exit 1; }
}

for data in $COUNTRIES; do
  country=${data%_*}
  [ -d "../shared/data/$data" ] || { echo "skip $country (../shared/data/$data is not there)"; continue; }
  run "$country" world -census "../shared/data/$data" -census_mapping "inputs/$country/census.yaml" \
    -scale "$SCALE" -report "$OUT/$country.csv"
  "$PYTHON" tests/census_counts.py "$country" "../shared/data/$data" "$OUT/$country.h5" "$OUT/$country.csv" \
    "$SCALE" || failed=1
  beta="$growing -parameters_beta_university 2" eighth=beta_university
  [ "$country" = england ] || beta=$growing eighth=beta_care_home # the others have no universities
  # shellcheck disable=SC2086
  run "$country-60" simulate -world "$OUT/$country.h5" -days 60 -initial_cases 1000 -by region \
    -checkpoint none $beta
  # the whole Jacobian, by 8 parameters: 296 bytes an agent
  # shellcheck disable=SC2086
  run "$country-60-jacobian" sensitivity -world "$OUT/$country.h5" -days 60 -initial_cases 1000 -by region \
    -checkpoint none -estimator pathwise -replicates 1 $beta -free "$free,$eighth"
done
"$PYTHON" - "$OUT" <<'EOF'
import glob, json, os, sys
import h5py
failed = False
print(f"{'file':<28} {'seconds':>8} {'peak, GB':>9} {'file, GB':>9} {'ranks':>6}")
for path in sorted(glob.glob(f"{sys.argv[1]}/*.h5.run.json")):
    job, h5 = json.load(open(path)), path[:-len(".run.json")]
    peak = job["peak_memory_bytes"]
    print(f"{os.path.basename(h5):<28} {job['seconds']:8.1f} {sum(peak) / 1e9:9.2f} "
          f"{os.path.getsize(h5) / 1e9:9.3f} {len(peak):6d}")
    if sum(peak) > 24e9:
        failed = True
        print(f"FAIL {os.path.basename(h5)}: over 24 GB")
    if h5.endswith("-60.h5"):
        incidence = h5py.File(h5)["observables/incidence"][0]
        new = incidence.reshape(len(incidence), -1).sum(1)
        day = len(new) // 2
        print(f"   new infections, day {day}: {new[day]:.0f}, last day: {new[-1]:.0f}, in all {new.sum():.0f}")
        if new[-1] < new[day]:
            failed = True
            print(f"FAIL {os.path.basename(h5)}: fewer infections on the last day than on day {day}")
sys.exit(failed)
EOF
[ $? -eq 0 ] && [ "$failed" -eq 0 ] || { echo "FAIL large_england.sh: see above"; exit 1; }
