#!/usr/bin/env python3
"""check_census.py - a population from census tables                               timeout: 600

The tables are read here anew and the world file is counted, so that neither the program's own
report nor its reader is trusted.  England and Massachusetts (where their data are) are made at 1 and
5 %, and counted as `make england` counts them whole (census_counts.py).
"""
import csv
import filecmp
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np

import census_counts

TMP, GRADUS, MPIEXEC = os.environ["TEST_TMP"], os.environ["GRADUS"], os.environ["MPIEXEC"]
COUNTY = "inputs/county"
ENGLAND, MASSACHUSETTS = "../shared/data/england_2011", "../shared/data/massachusetts_2000"


def told(good, name):
    print("ok" if good else "FAIL", name)


def run(ranks, *args):
    return subprocess.run([MPIEXEC, "-q", "-n", str(ranks), GRADUS, "world", *args],
                          capture_output=True, text=True)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def apart(made, wanted):
    made, wanted = np.asarray(made, float), np.asarray(wanted, float)
    return np.abs(made - wanted).sum() / wanted.sum()


def check_tables_are_made():
    made = os.path.join(TMP, "made")
    os.makedirs(made)
    subprocess.run([sys.executable, f"{COUNTY}/make_tables.py", made], check=True)
    names = ["areas.csv", "districts.csv", "flows.csv", "panel.csv"]
    match, differ, lost = filecmp.cmpfiles(made, COUNTY, names, shallow=False)
    told(not differ and not lost, "make_tables.py writes the tables of inputs/county")


def check_bytes(name, all_ranks, *args):
    for ranks in all_ranks:
        path = os.path.join(TMP, f"{name}{ranks}.h5")
        done = run(ranks, *args, "-output", path, "-quiet")
        if done.returncode:
            print("FAIL", name, done.stderr)
            return None
        if ranks > 1:
            told(filecmp.cmp(path, os.path.join(TMP, f"{name}1.h5"), shallow=False),
                 f"{name}: the same bytes on 1 and {ranks} ranks")
    return h5py.File(os.path.join(TMP, f"{name}1.h5"))


def sizes_of(venue):
    return np.bincount(venue[venue >= 0])


def check_county():
    world = check_bytes("county", (1, 2, 3, 4, 20), "-census", COUNTY)  # 18 areas
    if not world:
        return
    areas = table(f"{COUNTY}/areas.csv")
    names = [n.decode() for n in world["areas/name"][:]]
    told(names == [a["area"] for a in areas], "county: areas in order")
    area_of = np.repeat(np.arange(len(areas)), np.diff(world["agents/area_ptr"][:]))
    age = world["agents/age"][:]
    first = [int(c[4:]) for c in areas[0] if c.startswith("age_")]
    band = np.searchsorted(first, age, side="right") - 1
    made = np.zeros((len(areas), len(first)))
    np.add.at(made, (area_of, band), 1)
    wanted = np.array([[int(a[f"age_{f}"]) for f in first] for a in areas], float)
    wanted *= np.array([int(a["people"]) for a in areas])[:, None] / wanted.sum(1)[:, None]
    told(apart(made.sum(0), wanted.sum(0)) < 0.02, "county: ages within 2 % in all")
    zone = np.array([n.decode() for n in world["areas/zone"][:]])
    worst = max(apart(made[zone == z].sum(0), wanted[zone == z].sum(0)) for z in set(zone))
    told(worst < 0.05, f"county: ages within 5 % in each district ({worst:.3f})")

    home = world["memberships/household"][:]
    size = np.minimum(sizes_of(home), 6)
    household_area = world["venues/household/area"][:]
    made = np.zeros((len(areas), 6))
    np.add.at(made, (household_area, size - 1), 1)
    wanted = np.array([[int(a[f"size_{s}"]) for s in range(1, 7)] for a in areas])
    told(np.abs(made - wanted).max() <= 1, "county: households by size as in the table")
    communal = np.bincount(area_of[home < 0], minlength=len(areas))
    told(np.abs(communal - [int(a["in_communal"]) for a in areas]).max() <= 1,
         "county: people in communal establishments as in the table")
    told(((home >= 0) + (world["memberships/care_home"][:] >= 0) +
          (world["memberships/communal"][:] >= 0) == 1).all(), "county: everybody has one home")
    told((age[world["memberships/care_home"][:] >= 0] >= 65).all(), "county: care homes by age")
    adults = np.zeros(len(size), bool)
    adults[home[(home >= 0) & (age >= 16)]] = True
    told(adults.all(), "county: no household of children alone")

    school, company = world["memberships/school"][:], world["memberships/company"][:]
    told(not ((school >= 0) & (company >= 0)).any(), "county: nobody is at school and at work")
    told(0.93 < (school[(age >= 5) & (age < 16)] >= 0).mean() <= 1 and
         (school[(age < 5) | (age >= 18)] < 0).all(), "county: school by age")
    workers = np.bincount(area_of[company >= 0], minlength=len(areas))
    wanted = {a["area"]: 0 for a in areas}
    for flow in table(f"{COUNTY}/flows.csv"):
        wanted[flow["home"]] += int(flow["workers"])
    told(list(workers) == list(wanted.values()), "county: workers of each area as in the flows")
    sizes = sizes_of(company)
    tail = [(sizes >= m).mean() for m in (2, 5, 10, 20, 50)]
    law = [law_tail(m, 1.34, 5.35, 100) for m in (2, 5, 10, 20, 50)]
    told(np.abs(np.subtract(tail, law)).max() < 0.02, "county: sizes of companies follow the law")


def law_tail(m, exponent, offset, largest):
    cut = (offset / (offset + largest)) ** exponent
    return ((offset / (offset + m - 1)) ** exponent - cut) / (1 - cut)


LEISURE = """\
leisure:
  cinema: {share: {16: 0.5, 65: 0.2}, distance: 1500, size: {exponent: 1.5, offset: 8, max: 200}}
  park: {share: 1, size: 30}
"""


def companions_apart(areas, distance):
    """Mean distance of the homes of two who choose the same area, by the rule alone."""
    at = np.array([[float(a["x"]), float(a["y"])] for a in areas])
    people = np.array([float(a["people"]) for a in areas])
    apart = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))
    chance = people * np.exp(-apart / distance) * (apart <= 5 * distance)
    come = people[:, None] * chance / chance.sum(1)[:, None]  # from, to
    pairs = np.einsum("ia,ja,ij->a", come, come, apart) / come.sum(0) ** 2
    return (pairs * come.sum(0)).sum() / come.sum()


def other_county(name, change):
    """A folder with the county's tables and a changed mapping: change(text)."""
    folder = os.path.join(TMP, name)
    shutil.copytree(COUNTY, folder)
    with open(f"{folder}/census.yaml") as file:
        text = file.read()
    with open(f"{folder}/census.yaml", "w") as file:
        file.write(change(text))
    return folder


def check_leisure():
    folder = other_county("leisure", lambda text: text[:text.index("leisure:")] + LEISURE)
    report = os.path.join(TMP, "leisure.csv")
    world = check_bytes("leisure", (1, 2, 3, 4, 8), "-census", folder, "-report", report)
    if not world:
        return
    age = world["agents/age"][:]
    areas = table(f"{COUNTY}/areas.csv")
    area_of = np.repeat(np.arange(len(areas)), np.diff(world["agents/area_ptr"][:]))
    cinema, park = world["memberships/cinema"][:], world["memberships/park"][:]
    for name, who, share in (("under 16", age < 16, 0), ("16 to 64", (age >= 16) & (age < 65), 0.5),
                             ("65 and older", age >= 65, 0.2)):
        made, error = (cinema[who] >= 0).mean(), (share * (1 - share) / who.sum()) ** 0.5
        told(abs(made - share) <= 4 * error, f"leisure: share of those {name}: {share}, made {made:.3f}")
    told((park >= 0).all(), "leisure: everybody has a park")
    told(((cinema >= 0) & (world["memberships/company"][:] >= 0)).any(), "leisure: workers have some, too")
    sizes = sizes_of(cinema)
    tail = [(sizes >= m).mean() - law_tail(m, 1.5, 8, 200) for m in (2, 5, 10, 20, 50)]
    told(np.abs(tail).max() < 0.03, f"leisure: sizes follow the law within {np.abs(tail).max():.3f}")
    told(set(sizes_of(park)) <= {29, 30}, f"leisure: sizes near a mean: {sorted(set(sizes_of(park)))}")
    spread = [len(set(area_of[park == v])) for v in range(park.max() + 1)]
    told(max(spread) <= 2, "leisure: without a distance members are of one area, or of the next")
    at = np.array([[float(a["x"]), float(a["y"])] for a in areas])[area_of]
    rng = np.random.default_rng(1)
    members = [np.flatnonzero(cinema == v) for v in range(cinema.max() + 1)]
    pairs = np.array([rng.choice(m, 2, replace=False) for m in members for _ in m if len(m) > 1])
    far = np.hypot(*(at[pairs[:, 0]] - at[pairs[:, 1]]).T).mean()
    wanted, anybody = companions_apart(areas, 1500), np.hypot(*(at - rng.permutation(at)).T).mean()
    told(abs(far / wanted - 1) < 0.1, f"leisure: members live {far:.0f} m apart, the rule says "
         f"{wanted:.0f}, anybody {anybody:.0f}")
    rows = {(r["marginal"], r["zone"]): r for r in table(report)}
    made = sum(int(r["made"]) for (name, _), r in rows.items() if name == "cinema people")
    wanted = sum(float(r["table"]) for (name, _), r in rows.items() if name == "cinema people")
    share = np.where(age < 16, 0, np.where(age < 65, 0.5, 0.2)).sum()
    told(made == (cinema >= 0).sum() and abs(wanted - share) < 0.1,
         f"leisure: the report's marginal of people is {made} of {wanted:.1f}")
    told(int(rows["cinema venues", "all"]["made"]) == len(sizes), "leisure: and of venues")


def check_scale():
    world = check_bytes("scaled", (1, 2, 3, 5), "-census", COUNTY, "-scale", "0.1")
    if not world:
        return
    areas = table(f"{COUNTY}/areas.csv")
    people = sum(int(a["people"]) for a in areas)
    told(abs(len(world["agents/age"]) / (0.1 * people) - 1) < 0.01, "scale 0.1: a tenth of the people")
    size = np.minimum(sizes_of(world["memberships/household"][:]), 6)
    made = np.bincount(size, minlength=7)[1:]
    wanted = [0.1 * sum(int(a[f"size_{s}"]) for a in areas) for s in range(1, 7)]
    told(np.abs(made - wanted).max() <= 3, "scale 0.1: a tenth of the households of each size")
    workers = (world["memberships/company"][:] >= 0).sum()
    flows = sum(int(f["workers"]) for f in table(f"{COUNTY}/flows.csv"))
    told(abs(workers - 0.1 * flows) <= len(areas), "scale 0.1: a tenth of the workers, to 1 in each area")
    sizes = sizes_of(world["memberships/company"][:])
    told(abs((sizes >= 10).mean() - law_tail(10, 1.34, 5.35, 100)) < 0.1, "scale 0.1: companies keep their sizes")
    for wrong in ("0", "-1", "1.5x"):
        done = run(1, "-census", COUNTY, "-scale", wrong)
        told(done.returncode == 2 and "scale" in done.stderr, f"scale {wrong} is refused")


def flows_of(folder):
    """Workers by district of home and of work, as in the table; areas are told by their district."""
    district = {a["area"]: a["district"] for a in table(f"{folder}/areas.csv")}
    flows = {}
    for f in table(f"{folder}/flows.csv"):
        pair = district[f["home"]], district[f["work"]]
        flows[pair] = flows.get(pair, 0) + int(f["workers"])
    return flows


def check_commuting(name, path, flows, scale):
    """Who works in which zone, by where the companies in the file stand; a sample rounds small flows, and
    leaves areas without residents."""
    w = census_counts.Counted(path)
    made, n_lost = w.commuters()
    wanted = np.array([[flows.get((a, b), 0) * scale for b in w.zones] for a in w.zones])
    whole, _, _ = census_counts.apart(made, wanted)
    told(whole < 0.02, f"{name}: workers by zone of work within 2 % ({100 * whole:.2f} %)")
    if scale == 1:
        told((made == wanted).all(), f"{name}: each flow between zones as in the table")
    told(n_lost <= 0.001 * made.sum() * (scale < 1), f"{name}: every workplace stands somewhere ({n_lost} lost)")
    place = w.zone_of_area[w.place("company")]
    told(len(set(place)) == len(w.zones), f"{name}: there are workplaces in every zone")


def check_places():
    path = os.path.join(TMP, "county1.h5")
    check_commuting("county", path, flows_of(COUNTY), 1)
    again = os.path.join(TMP, "again.h5")
    for ranks in (1, 4):
        done = run(ranks, "-world", path, "-output", again, "-overwrite", "-quiet")
        told(done.returncode == 0 and all(
            (h5py.File(path)[f"venues/{k}/place"][:] == h5py.File(again)[f"venues/{k}/place"][:]).all()
            for k in ("company", "school", "leisure")), f"county: places of venues are read and written by {ranks}")


def check_groups():
    path = os.path.join(TMP, "by.h5")
    done = subprocess.run([GRADUS, "simulate", "-world", os.path.join(TMP, "county1.h5"), "-days",
                           "20", "-initial_cases", "20", "-by", "region,zone", "-output", path,
                           "-quiet", "-progress", "none"], capture_output=True, text=True)
    if done.returncode:
        print("FAIL", done.stderr)
        return
    file = h5py.File(path)
    whole = file["observables/infections"][0]
    by = {b: file[f"observables_by/{b}/infections"][0] for b in ("region", "zone")}
    told(all(np.allclose(by[b].sum(-1), whole) for b in by) and by["region"].shape[-1] == 2 and
         by["zone"].shape[-1] == 3, "county: observables by region and by zone add up to all")


def check_mistakes():
    cases = [("areas.csv", ",600,", ",6x0,", r"areas.csv:2:5: people: "),
             ("areas.csv", ",89,", ",-89,", "is negative"),
             ("areas.csv", "in_communal", "communal", "areas.csv:1: in_communal: "),
             ("areas.csv", "Northam", "Nowhere", "areas.csv:2:2: district: "),
             ("flows.csv", "A01,A02", "A01,A77", r"flows.csv:3:2: work: "),
             ("panel.csv", "\n0", "\n0.5", "panel.csv:2:1: age_0: "),
             ("census.yaml", "people: people", "peeple: people", "did you mean people"),
             ("census.yaml", "id: area\n  x", "id: area\n  id: area\n  x", "is given twice"),
             ("census.yaml", "size_1: {16+: 1", "size_1: {16x: 1", "is not a range"),
             ("census.yaml", "file: panel.csv", "file: lost.csv", "lost.csv: "),
             ("census.yaml", "distance: 1500", "distance: far", "distance: far: is not a number"),
             ("census.yaml", "5: age_5", "5+: age_5", "5+: is not an age"),
             ("census.yaml", "exponent: 1.34", "exponent: 0", "exponent and offset must be positive"),
             ("census.yaml", "  y: y\n", "", "x and y belong together"),
             ("census.yaml", "  people: in_communal\n", "", "people, chance and establishments are needed"),
             ("census.yaml", "between: areas", "between: streets", "streets: is not zones or areas"),
             ("census.yaml", "between: areas", "between: zones", "need a column areas: workers"),
             ("census.yaml", "leisure:\n", "leisur:\n", "unknown section; did you mean leisure"),
             ("census.yaml", "  zone: district\n", "", "a section zones and a column areas: zone belong together"),
             ("census.yaml", "size_1: {16+: 1,", "size_1: {16+: 0,", "no household of the panel is of this kind"),
             ("census.yaml", "  people: people", f"  people: [{', '.join('abcdefghi')}]", "has more than 8 entries"),
             ("districts.csv", "Northam", 100 * "N", "a text of more than"),
             ("areas.csv", "A02", "A01", "A01\" has a row already")]
    for number, (file, old, new, wanted) in enumerate(cases):
        folder = os.path.join(TMP, f"bad{number}")
        shutil.copytree(COUNTY, folder)
        with open(f"{folder}/{file}") as f:
            text = f.read()
        with open(f"{folder}/{file}", "w") as f:
            f.write(text.replace(old, new, 1))
        for ranks in (1, 3):
            done = run(ranks, "-census", folder)
            lines = done.stderr.strip().splitlines()
            told(done.returncode == 3 and len(lines) == 1 and wanted in lines[0],
                 f"bad {file} on {ranks} ranks: {wanted}" +
                 ("" if done.returncode == 3 else f" [{done.returncode}: {done.stderr}]"))
    folder = os.path.join(TMP, "bad_lost")
    shutil.copytree(COUNTY, folder)
    os.remove(f"{folder}/flows.csv")
    done = run(1, "-census", folder)
    told(done.returncode == 3 and "flows.csv" in done.stderr, "a missing table")
    changes = {"areas, demography and households are needed": lambda t: t[:t.index("households:")] + t[t.index("communal:"):],
               "flows between zones need a section zones": lambda t: t[:t.index("zones:\n")] + t[t.index("demography:\n"):].replace(
                   "between: areas", "between: zones")}
    for wanted, change in changes.items():
        folder = other_county(f"bad_{len(wanted)}", lambda t: change(t.replace("  zone: district\n", "  workers: people\n")
                                                                    if "zones" in wanted else t))
        done = run(1, "-census", folder)
        told(done.returncode == 3 and wanted in done.stderr, f"bad census.yaml: {wanted} {done.stderr if done.returncode != 3 else ''}")
    done = run(1, "-census", COUNTY, "-census_mapping", "lost.yaml")
    told(done.returncode == 3 and "lost.yaml: mapping: No such file" in done.stderr, "a missing mapping")
    done = run(1, "-census", COUNTY, "-scale", "1e-9")
    told(done.returncode == 3 and "make no agents" in done.stderr, "a scale that leaves no agents")
    folder = os.path.join(TMP, "bad_empty")
    shutil.copytree(COUNTY, folder)
    with open(f"{folder}/areas.csv", "r+") as f:
        f.truncate(len(f.readline()))
    done = run(1, "-census", folder)
    told(done.returncode == 3 and "areas.csv: " in done.stderr and "has no rows" in done.stderr, "a table without rows")
    done = run(1, "-world", "synthetic:100", "-scale", "0.5")
    told(done.returncode == 2 and "scale" in done.stderr, "scale without census")


def check_england():
    if not os.path.isdir(ENGLAND):
        print(f"skip England at 1 % ({ENGLAND} is not there)")
        return
    world = check_bytes("england", (1, 2, 3, 4), "-census", ENGLAND, "-census_mapping",
                        "inputs/england/census.yaml", "-scale", "0.01")
    if not world:
        return
    wards, lads = table(f"{ENGLAND}/wards.csv"), table(f"{ENGLAND}/lads.csv")
    districts = {d["district_id"]: d for d in table(f"{ENGLAND}/districts.csv")}
    bands = [c for c in next(iter(districts.values())) if c.startswith("age_")]
    first = [0, 5, 8, 10, 15, 16, 18, 20, 25, 30, 45, 60, 65, 75, 85, 90]
    wanted = np.zeros(len(bands))
    for w in wards:
        ages = np.array([int(districts[w["district_id"]][b]) for b in bands], float)
        wanted += ages / ages.sum() * (int(w["workers"]) + int(w["nonworkers"])) * 0.01
    age = world["agents/age"][:]
    made = np.bincount(np.searchsorted(first, age, side="right") - 1, minlength=len(first))
    told(apart(made, wanted) < 0.02, "England at 1 %: ages within 2 %")
    flows = sum(int(f["workers"]) for f in table(f"{ENGLAND}/commuting.csv"))
    workers = (world["memberships/company"][:] >= 0).sum()
    told(abs(workers / (0.01 * flows) - 1) < 0.005, "England at 1 %: workers as in the flows")
    region = {n.decode() for n in world["areas/region"][:]}
    told(region == {lad["region"] for lad in lads}, "England at 1 %: nine regions")
    share = np.bincount(np.minimum(sizes_of(world["memberships/household"][:]), 6))[1:]
    published = [float(r["value"]) for r in table(f"{ENGLAND}/national_marginals.csv")
                 if r["name"] == "household_size_fraction_uk_2020"]
    published = published[:5] + [sum(published[5:])]
    told(apart(share / share.sum(), published) < 0.02,
         "England at 1 %: sizes of households within 2 % of the United Kingdom's in 2020")

    _, flows = census_counts.england(ENGLAND, 1)
    check_commuting("England at 1 %", os.path.join(TMP, "england1.h5"), flows, 0.01)
    _, lines, _ = census_counts.marginals("england", ENGLAND, os.path.join(TMP, "england1.h5"), 0.01)
    for marginal, made, wanted in lines:
        whole, _, _ = census_counts.apart(made, wanted)
        told(whole < 0.02, f"England at 1 %: {marginal} within 2 % in all ({100 * whole:.2f} %)")
    made = world["venues/school/place"].shape[0] / 0.01
    published = next(float(r["value"]) for r in table(f"{ENGLAND}/national_marginals.csv")
                     if r["name"] == "n_schools_england")
    told(abs(made / published - 1) < 0.1, f"England at 1 %: schools within 10 % of the {published:.0f} "
         f"published, of all types ({made:.0f})")


def check_massachusetts():
    """No coordinates; flows between tracts."""
    if not os.path.isdir(MASSACHUSETTS):
        print(f"skip Massachusetts at 5 % ({MASSACHUSETTS} is not there)")
        return
    world = check_bytes("massachusetts", (1, 3), "-census", MASSACHUSETTS, "-census_mapping",
                        "inputs/massachusetts/census.yaml", "-scale", "0.05")
    if not world:
        return
    told("x" not in world["areas"], "Massachusetts at 5 %: no coordinates")
    path = os.path.join(TMP, "massachusetts1.h5")
    w, lines, n_lost = census_counts.marginals("massachusetts", MASSACHUSETTS, path, 0.05)
    for marginal, made, wanted in lines:
        whole, worst, z = census_counts.apart(made, wanted, small=1000)
        told(whole < 0.02 and worst < 0.05, f"Massachusetts at 5 %: {marginal} within 2 % in all and 5 % in each "
             f"county ({100 * whole:.2f} %; {100 * worst:.2f} % in {w.zones[z]})")
    told(n_lost == 0, f"Massachusetts at 5 %: every workplace stands somewhere ({n_lost} workers)")
    done = subprocess.run([MPIEXEC, "-q", "-n", "2", GRADUS, "simulate", "-world", path, "-days", "3",
                           "-initial_cases", "100", "-by", "zone", "-output", os.path.join(TMP, "m.h5"),
                           "-quiet", "-progress", "none"], capture_output=True, text=True)
    told(done.returncode == 0, "Massachusetts at 5 %: runs, by county " + done.stderr)


def check_without_coordinates():
    folder = other_county("nowhere", lambda text: re.sub(r"^ *[xy]: [xy]\n", "", text, flags=re.M))
    world = check_bytes("nowhere", (1, 2, 5), "-census", folder)
    if not world:
        return
    path = os.path.join(TMP, "nowhere1.h5")
    told("x" not in world["areas"], "county without coordinates: none in the file")
    check_commuting("county without coordinates", path, flows_of(COUNTY), 1)
    w = census_counts.Counted(path)
    with_them = census_counts.Counted(os.path.join(TMP, "county1.h5"))
    first = [0, 5, 10, 15, 20, 25, 30, 45, 60, 65, 75, 85]
    told((w.ages(first) == with_them.ages(first)).all() and
         (w.household_sizes(6) == with_them.household_sizes(6)).all(),
         "county without coordinates: the same ages and households")
    school = w.venue("school")
    at = w.place("school")
    same = (w.zone_of_area[at[school[school >= 0]]] == w.zone[school >= 0]).mean()
    told(same > 0.6, f"county without coordinates: pupils stay near, by district ({same:.3f})")
    done = run(3, "-world", path, "-partition", "hilbert")
    told(done.returncode == 0, "county without coordinates: partitioned by hilbert " + done.stderr)


check_tables_are_made()
check_county()
check_leisure()
check_scale()
check_places()
check_without_coordinates()
check_groups()
check_mistakes()
check_england()
check_massachusetts()
