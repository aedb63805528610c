#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Ten years of made-up horse races as CSV, one row for each runner.

usage: gen_races.py OUT.csv [--years 10] [--races-a-day 41] [--seed 7]

The same arguments give the same file. A horse runs at most once a day; scratched runners have no finish
and no time_s; body_weight is missing now and then. Needs numpy and pandas.
"""
import argparse
import datetime as dt

import numpy as np
import pandas as pd

TRACKS = np.array(["Oi", "Kawasaki", "Funabashi", "Urawa", "Nagoya", "Kasamatsu", "Sonoda", "Himeji",
                   "Kochi", "Saga", "Monbetsu", "Morioka", "Mizusawa", "Kanazawa", "Obihiro"])
GOINGS = np.array(["firm", "good", "yielding", "soft"])
DISTANCES = np.array([1000, 1200, 1400, 1600, 1800, 2000])
FIRST_DAY = dt.date(2010, 1, 1)
N_JOCKEYS, N_TRAINERS = 800, 600


class Stable:
    """Horses with their careers, and how good they and their jockeys are."""

    def __init__(self, rng, n_horses, days):
        self.debut = np.sort(rng.integers(-700, days, n_horses))
        self.career = rng.integers(200, 1500, n_horses)
        self.skill = rng.normal(0, 1, n_horses)
        self.jockey_skill = rng.normal(0, .5, N_JOCKEYS)
        self.trainer = rng.integers(0, N_TRAINERS, n_horses)
        self.weight = rng.normal(470, 25, n_horses)

    def active(self, day):
        return np.flatnonzero((self.debut <= day) & (self.debut + self.career > day))


def finish_order(perf, time, race, sizes, scratched):
    """Places by performance within each race; the scratched have neither place nor time."""
    order = np.lexsort((np.where(scratched, np.inf, -perf), race))
    finish = np.empty(len(perf))
    finish[order] = np.arange(len(perf)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    finish[scratched] = np.nan
    time[scratched] = np.nan
    return finish


def race_day(rng, stable, day, first_race_id, races_a_day):
    """The runners of one day as columns, and how many races there were; no columns on a day without horses."""
    n_races = max(1, int(rng.normal(races_a_day, 5)))
    sizes = rng.integers(7, 14, n_races)
    n = int(sizes.sum())
    active = stable.active(day)
    if len(active) < n:
        return None, 0
    horse = rng.choice(active, n, replace=False)
    jockey = rng.integers(0, N_JOCKEYS, n)
    race = np.repeat(np.arange(n_races), sizes)
    tracks = rng.choice(len(TRACKS), max(1, n_races // 12 + 1), replace=False)
    track = tracks[np.arange(n_races) % len(tracks)]
    distance = rng.choice(DISTANCES, n_races)[race]
    going = rng.integers(0, 4, n_races)
    draw = np.concatenate([rng.permutation(s) + 1 for s in sizes])
    perf = stable.skill[horse] + stable.jockey_skill[jockey] + rng.normal(0, 1, n)
    weight = np.round(rng.normal(55, 1.5, n) * 2) / 2
    body_weight = np.round(stable.weight[horse] + rng.normal(0, 6, n))
    body_weight[rng.random(n) < .02] = np.nan
    time = np.round(distance / (16.6 + .25 * perf - .0008 * (distance - 1400)), 1)
    finish = finish_order(perf, time, race, sizes, rng.random(n) < .01)
    odds = np.round(np.maximum(1.1, np.exp(2.2 - stable.skill[horse] + rng.normal(0, .5, n))), 1)
    date = (FIRST_DAY + dt.timedelta(days=day)).isoformat()
    return dict(race_id=first_race_id + race, race_date=np.full(n, date), track=TRACKS[track[race]],
                race_no=np.arange(n_races)[race] // len(tracks) + 1, distance=distance,
                going=GOINGS[going[race]], horse_id=horse + 1, jockey_id=jockey + 1,
                trainer_id=stable.trainer[horse] + 1, draw=draw, weight=weight, body_weight=body_weight,
                odds=odds, finish=finish, time_s=time), n_races


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--years", type=float, default=10)
    parser.add_argument("--races-a-day", type=int, default=41)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    rng = np.random.default_rng(args.seed)
    days = int(args.years * 365.25)
    stable = Stable(rng, max(600, int(45000 * args.years / 10 * args.races_a_day / 41)), days)
    parts, races = [], 0
    for day in range(days):
        columns, n_races = race_day(rng, stable, day, races + 1, args.races_a_day)
        if columns:
            parts.append(columns)
        races += n_races
    table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    for name in ("body_weight", "finish"):
        table[name] = table[name].astype("Int64")
    table = table.sort_values(["race_id", "draw"], kind="stable")
    table.to_csv(args.out, index=False)
    print(len(table), "rows,", races, "races,", table.race_date.nunique(), "dates")


if __name__ == "__main__":
    main()
