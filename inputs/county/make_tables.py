#!/usr/bin/env python3
"""Write the tables of a made-up county from a few published national figures.

    python3 make_tables.py [FOLDER]

18 areas in 3 districts and 2 regions, 11,000 people.  Only the standard library; the same tables
every time.  Ages, household sizes and the share in communal establishments are those of England
and Wales in the 2011 Census, rounded (Office for National Statistics; Open Government Licence
v3.0; Contains National Statistics data (c) Crown copyright).  Everything else is made up: the
panel is a list of typical households, commuting follows distance.
"""
import csv
import math
import os
import sys

AGES = {0: 6.3, 5: 5.6, 10: 5.8, 15: 6.3, 20: 6.8, 25: 6.9, 30: 20.6, 45: 19.4, 60: 6.0, 65: 8.6,
        75: 5.5, 85: 2.2}                                      # % of people, by first age of a band
SIZES = {1: 30.2, 2: 34.2, 3: 15.6, 4: 13.0, 5: 4.7, 6: 2.3}   # % of households; the last is 6+
COMMUNAL = 1.8                                                 # % of people
EMPLOYED = 41.0                                                # % of people who go to work

# Typical households: number of them, and ages of their people.
PANEL = [(14, "70"), (8, "80"), (5, "88"), (9, "30"), (12, "50"), (6, "25"), (5, "62"),
         (12, "70 68"), (8, "77 76"), (3, "86 84"), (12, "62 60"), (10, "55 52"), (6, "47 45"),
         (8, "32 30"), (8, "26 24"), (4, "22 21"), (4, "38 9"), (3, "45 16"), (3, "28 4"),
         (2, "82 55"), (7, "33 31 2"), (5, "40 38 8"), (6, "48 46 17"), (4, "55 53 23"),
         (2, "20 21 22"), (2, "36 12 7"), (2, "64 61 30"), (10, "37 35 7 3"), (9, "44 42 15 11"),
         (3, "52 50 21 18"), (2, "34 33 4 1"), (1, "21 22 20 19"), (4, "40 38 12 9 4"),
         (2, "46 44 19 16 12"), (1, "36 34 8 5 2"), (2, "42 40 15 12 8 3"), (1, "72 45 43 16 12 9")]
BANDS = list(range(0, 90, 10))

AREAS, PEOPLE, SPACING = 18, 600, 1500.0                       # people on average; metres
DISTRICTS = [("Northam", "Upland"), ("Midham", "Lowland"), ("Southam", "Lowland")]


def write(folder, name, header, rows):
    with open(os.path.join(folder, name), "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def split(total, parts):
    """Whole numbers in proportion to parts that sum to total."""
    so_far = whole = 0
    for part in parts:
        so_far += part
        now = round(total * so_far / sum(parts))
        yield now - whole
        whole = now


def tables(folder):
    place = [(500 + SPACING * (a % 6), 800 + SPACING * (a // 6)) for a in range(AREAS)]
    people = [round(PEOPLE * (1 + 0.4 * math.sin(2.0 * a))) for a in range(AREAS)]
    # some areas are young, others old
    tilt = [0.25 * math.cos(1.3 * a) for a in range(AREAS)]
    areas = []
    for a in range(AREAS):
        ages = list(split(people[a], [share * math.exp(tilt[a] * (age - 40) / 40)
                                      for age, share in AGES.items()]))
        communal = round(people[a] * COMMUNAL / 100 * (0.5 + a % 3 / 2))
        # old areas have small households
        lean = [share * math.exp(-0.3 * tilt[a] * size) for size, share in SIZES.items()]
        norm = sum(size * share for size, share in zip(SIZES, lean)) / sum(lean)
        sizes = list(split(round((people[a] - communal) / norm), lean))
        areas.append([f"A{a + 1:02d}", DISTRICTS[a // 6][0], *place[a], people[a], communal,
                      round(people[a] * EMPLOYED / 100), *ages, *sizes])
    write(folder, "areas.csv",
          ["area", "district", "x", "y", "people", "in_communal", "workers",
           *[f"age_{age}" for age in AGES],
           *[f"size_{size}" for size in SIZES]], areas)
    write(folder, "districts.csv", ["district", "region"], DISTRICTS)
    flows = []
    for home in range(AREAS):
        pull = [people[to] * math.exp(-math.dist(place[home], place[to]) / 3000)
                for to in range(AREAS)]
        for to, workers in enumerate(split(areas[home][6], pull)):
            if workers:
                flows.append([areas[home][0], areas[to][0], workers])
    write(folder, "flows.csv", ["home", "work", "workers"], flows)
    panel = []
    for number, ages in PANEL:
        counts = [sum(band == min(int(age) // 10, 8) for age in ages.split())
                  for band in range(len(BANDS))]
        panel += [counts] * number
    write(folder, "panel.csv", [f"age_{band}" for band in BANDS], panel)


if __name__ == "__main__":
    tables(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
