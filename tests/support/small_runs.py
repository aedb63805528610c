# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""small_runs.py - four race days that fit on a page, with a spec that has one feature of each kind."""
import json

import cli

RUNS = """day,race,horse,track,distance,place,known
2024-01-01,r1,a,T,1200,1,2024-01-01
2024-01-01,r1,b,T,1200,2,2024-01-01
2024-01-08,r2,a,T,1400,3,2024-01-09
2024-01-08,r2,b,K,1400,1,
2024-01-15,r3,a,K,1800,,2024-01-15
2024-01-15,r3,b,K,1800,1,2024-01-20
2024-02-01,r4,a,T,1200,2,2024-02-01
2024-02-01,r4,b,T,1200,1,2024-02-01
"""
RATINGS = """known_date,horse,rating
2023-12-01,a,70
2024-01-10,a,75
2024-01-10,b,80
2024-02-01,a,99
"""
HORSES = """horse_id,sire
a,Zeus
b,Ares
"""
SPEC = {
    "spec": 1,
    "tables": {
        "runs": {"time": "day", "group": "race", "result_columns": ["place"],
                 "columns": {"won": "place == 1", "z": {"calc": "zscore(place)", "within": "race"},
                             "idle": "distance * 2"}},
        "ratings": {"time": "known_date"},
        "horses": {"key": "horse_id"},
    },
    "target": {"table": "runs", "keep": ["race", "horse"]},
    "windows": {"year": {"by": "horse", "days": 365}, "never": {"by": "track"}},
    "features": {
        "starts": {"calc": "count()", "by": "horse"},
        "win_rate": {"calc": "mean(won)", "by": "horse", "last": [1, 5]},
        "mean_z": {"calc": "mean(z)", "over": "year"},
        "trip": {"calc": "mean(place)", "by": "horse", "where": "abs(distance - target.distance) <= 200", "fill": -1},
        "here": {"calc": "count()", "by": "horse", "where": "track == target.track"},
        "known": {"calc": "last(place)", "by": "horse", "known_at": "known"},
        "old": {"calc": "max(place)", "by": "horse", "days": 20, "delay_days": 7, "min_rows": 2},
        "shrunk": {"calc": "mean(won)", "by": ["horse", "track"], "prior": 10},
        "rating": {"asof": "ratings.rating", "by": "horse", "max_age_days": 180, "age": True},
        "sire": {"lookup": "horses.sire", "by": "horse"},
        "rating_rank": {"calc": "rank(rating, desc)", "within": "race"},
        "rival": {"calc": "max(rating)", "within": "race", "others": True},
        "gap": {"expr": "rating - rival"},
        "cyc": {"expr": "cyc(month(day), 12)"},
        "at": {"expr": "onehot(track, ['T', 'K'])"},
    },
    "labels": {"y": "won"},
}


def make(tmp, **target):
    """The snapshot and the spec below tmp: their paths. target: members of the spec's target to change."""
    for name, text in (("runs", RUNS), ("ratings", RATINGS), ("horses", HORSES)):
        (tmp / f"{name}.csv").write_text(text)
    spec = tmp / "spec.json"
    spec.write_text(json.dumps({**SPEC, "target": {**SPEC["target"], **target}}))
    tables = [part for name in ("runs", "ratings", "horses") for part in ("--csv", f"{name}={tmp}/{name}.csv")]
    cli.run("snapshot", "create", *tables, "--spec", spec, "--out", tmp / "snapshot")
    return tmp / "snapshot", spec
