#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""snapshot rate: ratings as a plain program works them out, read by a spec before the results that make them."""
import collections
import csv
import gzip
import io
import json
import math
import os
import pathlib
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap

RATE = ["--table", "appearances", "--by", "team", "--within", "match_id", "--order", "points", "--desc", "--as", "elo"]


def matches():
    with open(cli.FOOTBALL / "appearances.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def naive_elo(rows, time, by, within, order, sign, k=24.0, start=1500.0, scale=400.0):
    """{entity: [(date, rating after it, games)]}, from the definition; sign 1 where more is better, else -1."""
    history = collections.defaultdict(list)
    by_date = collections.defaultdict(list)
    for r in rows:
        by_date[r[time]].append(r)
    for date in sorted(by_date):
        before = {who: states[-1] for who, states in history.items()}
        gained, games = collections.Counter(), collections.Counter()
        groups = collections.defaultdict(list)
        for r in by_date[date]:
            if r[order] != "":
                groups[r[within]].append((r[by], sign * float(r[order])))
        for group in groups.values():
            if len(group) < 2:
                continue
            for i, (who, mine) in enumerate(group):
                games[who] += 1
                for j, (other, theirs) in enumerate(group):
                    if i != j:
                        a, b = (before[w][1] if w in before else start for w in (who, other))
                        actual = 1 if mine > theirs else 0.5 if mine == theirs else 0
                        gained[who] += k / (len(group) - 1) * (actual - 1 / (1 + 10 ** ((b - a) / scale)))
        for who, n in games.items():
            _, rating, played = before.get(who, (None, start, 0))
            history[who].append((date, rating + gained[who], played + n))
    return history


def compare(dest, history, by):
    """Each row of each result has the state of strictly before its day; how many rows, how many with a rating."""
    rows = rated = 0
    for key in cli.results(dest):
        for row in csv.DictReader(io.StringIO(result(dest, key))):
            rows += 1
            before = [state for state in history[row[by]] if state[0] < key]
            if not before:
                assert row["elo"] == row["games"] == "", row
                continue
            rated += 1
            assert math.isclose(float(row["elo"]), before[-1][1], rel_tol=1e-11, abs_tol=1e-9), (key, row, before[-1])
            assert int(row["games"]) == before[-1][2], (key, row, before[-1])
    return rows, rated


def write_spec(path):
    path.write_text(json.dumps({
        "spec": 1,
        "tables": {"appearances": {"time": "match_date", "group": "match_id",
                                   "result_columns": ["goals_for", "goals_against", "points"]},
                   "elo": {"time": "match_date"}},
        "target": {"table": "appearances", "keep": ["team", "opponent"]},
        "features": {"elo": {"asof": "elo.rating", "by": "team"}, "games": {"asof": "elo.games", "by": "team"}},
    }))
    return path


def run_rated(tmp, name, csv_path=cli.FOOTBALL / "appearances.csv"):
    """Snapshot, ratings, all keys; the destination."""
    (tmp / name).mkdir()
    snapshot = cli.football_snapshot(tmp / name, csv_path)
    cli.run("snapshot", "rate", snapshot, *RATE, "--out", tmp / name / "rated")
    cli.run("snapshot", "verify", tmp / name / "rated")
    cli.run("run", "--snapshot", tmp / name / "rated", "--spec", write_spec(tmp / name / "spec.json"), "--dest",
            tmp / name / "out")
    return tmp / name / "out"


def result(dest, key):
    with zipfile.ZipFile(dest / f"{key}.zip") as packed:
        return packed.read(f"{key}.csv").decode()


def test_each_row_has_the_rating_of_before_its_day():
    history = naive_elo(matches(), "match_date", "team", "match_id", "points", 1)
    with cli.scratch() as tmp:
        rows, rated = compare(run_rated(tmp, "a"), history, "team")
    assert rows == 13016 and rated > 12000, (rows, rated)


def test_fields_of_many_with_several_runners_of_one_trainer():
    with cli.scratch() as tmp:
        with gzip.open(cli.RACES / "small" / "races.csv.gz", "rt") as file:
            text = file.read()
        (tmp / "races.csv").write_text(text)
        history = naive_elo(list(csv.DictReader(io.StringIO(text))), "race_date", "trainer_id", "race_id", "finish", -1,
                            k=32.0, start=0.0, scale=200.0)
        cli.run("snapshot", "create", "--csv", f"entries={tmp}/races.csv,time=race_date,group=race_id", "--out", tmp / "s")
        cli.run("snapshot", "rate", tmp / "s", "--table", "entries", "--by", "trainer_id", "--within", "race_id", "--order",
                "finish", "--k", 32, "--start", 0, "--scale", 200, "--as", "elo", "--out", tmp / "rated")
        (tmp / "spec.json").write_text(json.dumps({
            "spec": 1, "tables": {"entries": {"time": "race_date", "group": "race_id"}, "elo": {"time": "race_date"}},
            "target": {"table": "entries", "keep": ["trainer_id"]},
            "features": {"elo": {"asof": "elo.rating", "by": "trainer_id"}, "games": {"asof": "elo.games", "by": "trainer_id"}}}))
        cli.run("run", "--snapshot", tmp / "rated", "--spec", tmp / "spec.json", "--dest", tmp / "out", "--limit", 200)
        rows, rated = compare(tmp / "out", history, "trainer_id")
    assert rows > 5000 and rated > rows * 0.8, (rows, rated)


def test_results_of_a_day_and_later_change_no_rating_that_is_read_on_it():
    cut = "2015-03-01"
    with cli.scratch() as tmp:
        rows = matches()
        for row in rows:
            if row["match_date"] >= cut and row["points"]:
                row["points"] = str(3 - int(row["points"]))
        with open(tmp / "turned.csv", "w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            out.writeheader()
            out.writerows(rows)
        a, b = run_rated(tmp, "a"), run_rated(tmp, "b", tmp / "turned.csv")
        keys = cli.results(a)
        assert keys == cli.results(b) and cut in keys
        early = [key for key in keys if key <= cut]
        assert len(early) > 100
        for key in early:
            assert result(a, key) == result(b, key), key
        later = [key for key in keys if key > cut]
        assert sum(result(a, key) != result(b, key) for key in later) > len(later) * 0.9


def test_all_that_was_there_is_there_unchanged():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        cli.football_run(snapshot, tmp / "out", "--limit", 30)
        cli.run("snapshot", "rate", snapshot, *RATE, "--out", tmp / "rated")
        for path in (snapshot / "appearances").iterdir():
            assert path.read_bytes() == (tmp / "rated" / "appearances" / path.name).read_bytes(), path
        old, new = (cli.run_json("snapshot", "show", s) for s in (snapshot, tmp / "rated"))
        assert new["tables"][:1] == old["tables"] and new["id"] != old["id"]
        table = new["tables"][1]
        assert [(c["name"], c["type"]) for c in table["columns"]] == [
            ("match_date", "date"), ("team", "string"), ("rating", "float"), ("games", "integer")], table
        # Results that do not read the ratings are not stale.
        done = cli.football_run(tmp / "rated", tmp / "out", "--limit", 30)
        cli.says(done.stdout, "nothing to do: all 30 results are there")


def test_the_same_ratings_have_the_same_id():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        ids = [cli.run_json("snapshot", "rate", snapshot, *RATE, "--out", tmp / name, *more)["id"]
               for name, more in (("a", []), ("b", ["--k", "24.0", "--start", "1500"]), ("c", ["--k", "20"]))]
        assert ids[0] == ids[1] != ids[2], ids


def test_what_is_printed_can_be_put_into_a_spec():
    with cli.scratch() as tmp:
        done = cli.run("snapshot", "rate", cli.football_snapshot(tmp), *RATE, "--out", tmp / "rated")
        cli.says(done.stdout, '"elo": {"time": "match_date"}', '{"asof": "elo.rating", "by": "team"}')


def test_combinations_are_rated_and_what_is_printed_is_their_spec():
    with cli.scratch() as tmp:
        args = ["--table", "appearances", "--by", "team,opponent", "--within", "match_id", "--order", "points",
                "--desc", "--as", "pairs"]
        done = cli.run("snapshot", "rate", cli.football_snapshot(tmp), *args, "--out", tmp / "rated")
        cli.says(done.stdout, '"team_opponent_rating": {"asof": "pairs.rating", "by": ["team", "opponent"]}')
        spec = json.loads(write_spec(tmp / "spec.json").read_text())
        spec["tables"]["pairs"] = spec["tables"].pop("elo")
        spec["features"] = {name: {"asof": f"pairs.{column}", "by": ["team", "opponent"]}
                            for name, column in (("elo", "rating"), ("games", "games"))}
        (tmp / "spec.json").write_text(json.dumps(spec))
        cli.run("run", "--snapshot", tmp / "rated", "--spec", tmp / "spec.json", "--dest", tmp / "out", "--limit", 50)
        rows = [{**row, "pair": (row["team"], row["opponent"])} for row in matches()]
        history = naive_elo(rows, "match_date", "pair", "match_id", "points", 1)
        seen = 0
        for key in cli.results(tmp / "out"):
            for row in csv.DictReader(io.StringIO(result(tmp / "out", key))):
                before = [state for state in history[row["team"], row["opponent"]] if state[0] < key]
                assert row["games"] == (str(before[-1][2]) if before else ""), (key, row)
                if before:
                    assert math.isclose(float(row["elo"]), before[-1][1], rel_tol=1e-11), (key, row)
                    seen += 1
        assert seen > 50, seen


def test_refusals_name_what_is_wrong_and_leave_nothing_behind():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        there = sorted(os.listdir(tmp))

        def refused(code, *words, **change):
            args = {"table": "appearances", "by": "team", "within": "match_id", "order": "points", "as": "elo",
                    "out": tmp / "rated", **change}
            done = cli.run("snapshot", "rate", snapshot, *[f"--{name}={value}" for name, value in args.items()],
                           code=code)
            cli.says(done.stderr, *words)
            assert sorted(os.listdir(tmp)) == there, os.listdir(tmp)

        refused(64, "--table", "no table 'games'", "appearances", table="games")
        refused(64, "--as", "appearances", "already", **{"as": "appearances"})
        refused(65, "--as", "'elo.v2'", "TABLE.COLUMN", **{"as": "elo.v2"})
        refused(65, "--as", "'#elo'", "comment", **{"as": "#elo"})
        refused(64, "--k", "many", k="many")
        refused(64, "--k", "above 0", k="-1")
        refused(65, "--by", "did you mean 'team'", by="teem")
        refused(65, "--order", "text", order="opponent")
        refused(73, "exists already", out=str(snapshot))


if __name__ == "__main__":
    tap.main()
