"""census_counts.py - a world made from census tables, counted from its file, beside the tables

census_counts.py COUNTRY TABLES WORLD.h5 REPORT.csv SCALE prints a line for each marginal of England or
Massachusetts, and FAIL where it is more than 2 % apart in all or 5 % in a zone: of what the file holds,
and of what the program's own report says.  `make england` calls it; check_census.py calls its functions.
A zone that should have fewer than SMALL of something is left out: there 5 % is a handful.
"""
import csv
import sys
from collections import defaultdict

import h5py
import numpy as np

SMALL = 100
WITHIN, IN_ZONE = 0.02, 0.05
SCHOOLS = {"england": ((0, 11, 230), (11, 18, 965)), "massachusetts": ((0, 11, 400), (11, 18, 700))}
AGES = {"england": [0, 5, 8, 10, 15, 16, 18, 20, 25, 30, 45, 60, 65, 75, 85, 90],
        "massachusetts": [0, 5, 18, 30, 65]}
COMPANIES = 1.34, 5.35, 5927  # exponent, offset, largest
SIZES = (1, 2, 5, 10, 20, 50, 100, 250, 1000)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Counted:
    """What is in the file, by zone: the names of zones, and arrays [zone][group]."""

    def __init__(self, path):
        self.file = h5py.File(path)
        names = np.array([n.decode() for n in self.file["areas/zone"][:]])
        self.zones, self.zone_of_area = np.unique(names, return_inverse=True)
        self.area = np.repeat(np.arange(len(names)), np.diff(self.file["agents/area_ptr"][:]))
        self.zone = self.zone_of_area[self.area]
        self.age = self.file["agents/age"][:].astype(np.int16)

    def venue(self, kind):
        return self.file[f"memberships/{kind}"][:]

    def place(self, kind):
        return self.file[f"venues/{kind}/place"][:]

    def matrix(self, zone, group, n_group):
        return np.bincount(zone * n_group + group, minlength=len(self.zones) * n_group).reshape(-1, n_group)

    def ages(self, first):
        return self.matrix(self.zone, np.searchsorted(first, self.age, side="right") - 1, len(first))

    def household_sizes(self, largest):
        home = self.venue("household")
        size = np.bincount(home[home >= 0])
        zone = self.zone_of_area[self.file["venues/household/area"][:]]
        return self.matrix(zone, np.minimum(size, largest) - 1, largest)

    def at_home(self):
        return self.matrix(self.zone[self.venue("household") >= 0], 0, 1)

    def commuters(self):
        """Workers by zone of home and zone of the workplace; also those whose workplace has none."""
        company = self.venue("company")
        works = company >= 0
        place = self.place("company")[company[works]]
        known = place >= 0
        made = self.matrix(self.zone[works][known], self.zone_of_area[place[known]], len(self.zones))
        return made, (~known).sum()

    def company_sizes(self):
        company, place = self.venue("company"), self.place("company")
        size = np.bincount(company[company >= 0])
        known = place >= 0
        return self.matrix(self.zone_of_area[place[known]],
                           np.searchsorted(SIZES, size[known], side="right") - 1, len(SIZES))

    def schools(self, first, end):
        """Sizes of the schools of those of these ages, and their places."""
        school = self.venue("school")
        inside = np.flatnonzero((school >= 0) & (self.age >= first) & (self.age < end))
        number, size = np.unique(school[inside], return_counts=True)
        return size, self.place("school")[number]


def apart(made, wanted, small=SMALL):
    """Over all zones together, the worst zone, and which: sums of |made - wanted| over wanted."""
    made, wanted = np.asarray(made, float), np.asarray(wanted, float)
    whole = np.abs(made.sum(0) - wanted.sum(0)).sum() / wanted.sum()
    large = wanted.sum(1) >= small
    zones = np.where(large, np.abs(made - wanted).sum(1) / np.where(large, wanted.sum(1), 1), 0)
    return whole, zones.max(), int(zones.argmax())


def law_shares():
    exponent, offset, largest = COMPANIES
    tail = (offset / (offset + np.array(SIZES) - 1.0)) ** exponent
    cut = (offset / (offset + largest)) ** exponent
    tail = (tail - cut) / (1 - cut)
    return tail - np.append(tail[1:], 0)


def england(folder, scale):
    """What the tables say, {zone: {marginal: [groups]}}, and {(home, work): workers}."""
    name = {r["lad_id"]: r["lad_name"] for r in table(f"{folder}/lads.csv")}
    records = {r["district_id"]: r for r in table(f"{folder}/districts.csv")}
    ages = [c for c in next(iter(records.values())) if c.startswith("age_")]
    kinds = [c for c in next(iter(records.values())) if c.startswith("hh_")]
    zones = defaultdict(lambda: defaultdict(float))
    for ward in table(f"{folder}/wards.csv"):
        record, zone = records[ward["district_id"]], zones[name[ward["lad_id"]]]
        band = np.array([int(record[c]) for c in ages], float)
        share = (int(ward["workers"]) + int(ward["nonworkers"])) / band.sum() * scale
        one = int(record["hh_single_65p"]) + int(record["hh_single_other"])
        homes = sum(int(record[c]) for c in kinds)
        zone["ages"] = zone["ages"] + band * share
        zone["households"] = zone["households"] + np.array([one, homes - one]) * share
        zone["at home"] = zone["at home"] + np.array([band.sum() - int(record["in_communal"])]) * share
    flows = defaultdict(float)
    for f in table(f"{folder}/commuting.csv"):
        flows[name[f["from_lad"]], name[f["to_lad"]]] += int(f["workers"]) * scale
    return zones, flows


def massachusetts(folder, scale):
    county = {r["county_fips"]: r["county_name"] for r in table(f"{folder}/counties.csv")}
    tracts = {r["tract_id"]: r for r in table(f"{folder}/tracts.csv")}
    name = {t: county[r["county_fips"]] for t, r in tracts.items()}
    some = next(iter(tracts.values()))
    ages, sizes = ([c for c in some if c.startswith(p)] for p in ("age_", "hh_size_"))
    zones = defaultdict(lambda: defaultdict(float))
    for tract, r in tracts.items():
        for key, columns in (("ages", ages), ("households", sizes)):
            zones[name[tract]][key] = zones[name[tract]][key] + np.array([int(r[c]) for c in columns]) * scale
    flows = defaultdict(float)
    for f in table(f"{folder}/worker_flows.csv"):
        flows[name[f["home_tract"]], name[f["work_tract"]]] += int(f["workers"]) * scale
    return zones, flows


def marginals(country, folder, path, scale):
    """[(name, made, wanted)] counted from the file and the tables; arrays [zone][group]."""
    w = Counted(path)
    zones, flows = {"england": england, "massachusetts": massachusetts}[country](folder, scale)
    wanted = {key: np.array([zones[z][key] for z in w.zones]) for key in next(iter(zones.values()))}
    n_size = wanted["households"].shape[1]
    lines = [("ages", w.ages(AGES[country]), wanted["ages"]),
             ("household sizes", w.household_sizes(n_size), wanted["households"])]
    if "at home" in wanted:
        lines.append(("people in households", w.at_home(), wanted["at home"]))
    made, n_lost = w.commuters()
    lines.append(("commuting", made, np.array([[flows[a, b] for b in w.zones] for a in w.zones])))
    sizes = w.company_sizes()
    lines.append(("company sizes", sizes, sizes.sum(1)[:, None] * law_shares()))
    for first, end, mean in SCHOOLS[country]:
        size, place = w.schools(first, end)
        zone = w.zone_of_area[place]
        n = np.bincount(zone, minlength=len(w.zones))
        lines.append((f"school sizes, {first}-{end - 1}",
                      np.bincount(zone, weights=size, minlength=len(w.zones))[:, None], (n * mean)[:, None]))
    return w, lines, n_lost


def judge(name, whole, worst, zone):
    good = whole <= WITHIN and worst <= IN_ZONE
    print(f"{'ok' if good else 'FAIL'} {name}: {100 * whole:.2f} % apart in all, {100 * worst:.2f} % in "
          f"the worst zone ({zone})")
    return good


def judge_report(path):
    """The same of the program's own report, but for venues, whose number has no zones."""
    groups = defaultdict(list)
    for r in table(path):
        groups[r["marginal"]].append((r["zone"], r["group"], float(r["table"]), float(r["made"])))
    good = bool(groups)
    for name, rows in groups.items():
        zones, columns = (sorted({r[i] for r in rows}) for i in (0, 1))
        both = np.zeros((2, len(zones), len(columns)))
        for zone, group, wanted, made in rows:
            both[:, zones.index(zone), columns.index(group)] = made, wanted
        whole, worst, z = apart(*both)
        good = judge("report: " + name, whole, worst, zones[z]) and good
    return good


def main(country, folder, path, report, scale):
    w, lines, n_lost = marginals(country, folder, path, float(scale))
    good = True
    for name, made, wanted in lines:
        whole, worst, z = apart(made, wanted)
        good = judge("file: " + name, whole, worst, w.zones[z]) and good
    print(f"{n_lost} workers in areas without residents")
    if country == "england":
        published = next(float(r["value"]) for r in table(f"{folder}/national_marginals.csv")
                         if r["name"] == "n_schools_england")
        n = w.file["venues/school/place"].shape[0] / float(scale)
        print(f"schools: {n:.0f}, published {published:.0f} of all types: {100 * (n / published - 1):+.1f} %")
    good = judge_report(report) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
