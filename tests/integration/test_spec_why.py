#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari spec why: the value that the batch has, and the rows that it was made of."""
import csv
import io
import json
import pathlib
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import small_runs
import tap


def why(snapshot, spec, key, row, feature, *more):
    return cli.run_json("spec", "why", spec, "--snapshot", snapshot, "--key", key, "--row", row, "--feature", feature,
                        *more)


def values(report, name, used=None):
    return [r["values"][name] for r in report["rows"] if used is None or r["used"] == used]


def test_a_window_shows_its_rows_oldest_first_with_edges():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        report = why(snapshot, spec, "2024-02-01", 0, "win_rate_l5")
        assert (report["kind"], report["value"], report["cutoff"]) == ("history", 0.5, "2024-02-01")
        assert report["target"] == {"day": "2024-02-01", "race": "r4", "horse": "a"}
        assert [(r["values"]["day"], r["values"]["won"], r["used"]) for r in report["rows"]] == [
            ("2024-01-01", True, True), ("2024-01-08", False, True), ("2024-01-15", None, False)]
        assert [r["table_row"] for r in report["rows"]] == [0, 2, 4]
        assert set(values(report, "horse")) == {"a"}
        old = why(snapshot, spec, "2024-02-01", 0, "old")
        assert (old["from"], old["before"], old["history_rows"]) == ("2024-01-05", "2024-01-25", 3)
        assert values(old, "day") == ["2024-01-08", "2024-01-15"] and old["value"] == 3


def test_filtered_windows_show_what_was_left_out():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        trip = why(snapshot, spec, "2024-02-01", 1, "trip")
        assert trip["value"] == 1.5 and trip["target"]["horse"] == "b"
        assert values(trip, "place", used=True) == [2, 1] and values(trip, "place", used=False) == [1]
        known = why(snapshot, spec, "2024-02-01", 1, "known")
        assert values(known, "known", used=False) == [None] and known["value"] == 1
        filled = why(snapshot, spec, "2024-01-15", 1, "trip")
        assert filled["value"] == -1 and not values(filled, "place", used=True)


def test_asof_lookup_group_and_expression_show_where_they_come_from():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        rating = why(snapshot, spec, "2024-02-01", 0, "rating")
        assert rating["rows"] == [{"table_row": 1, "used": True,
                                   "values": {"known_date": "2024-01-10", "horse": "a", "rating": 75}}]
        age = why(snapshot, spec, "2024-02-01", 0, "rating_age_days")
        assert (age["value"], values(age, "known_date")) == (22, ["2024-01-10"])
        sire = why(snapshot, spec, "2024-02-01", 1, "sire")
        assert (sire["kind"], sire["value"], values(sire, "horse_id")) == ("lookup", "Ares", ["b"])
        rival = why(snapshot, spec, "2024-02-01", 0, "rival")
        assert rival["kind"] == "group" and rival["value"] == 80
        assert [(r["values"]["horse"], r["values"]["rating"], r["used"], r["self"]) for r in rival["rows"]] == [
            ("a", 75, False, True), ("b", 80, True, False)]
        gap = why(snapshot, spec, "2024-02-01", 0, "gap")
        assert (gap["value"], gap["rows"][0]["values"]) == (-5, {"rating": 75, "rival": 80})
        label = why(snapshot, spec, "2024-02-01", 1, "y")
        assert label["value"] is True and "label" in label["says"]
        assert why(snapshot, spec, "2024-02-01", 1, "race")["kind"] == "kept"


def test_rows_count_in_the_order_of_the_output():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp, where="horse == 'b'")
        report = why(snapshot, spec, "2024-02-01", 0, "rival")
        assert report["target"]["horse"] == "b" and report["value"] == 75
        assert values(report, "horse") == ["a", "b"], "rows that are left out of the output stay in groups"
        done = cli.run("spec", "why", spec, "--snapshot", snapshot, "--key", "2024-02-01", "--row", 1, "--feature",
                       "rival", code=65)
        cli.says(done.stderr, "1 rows of output, 0 to 0")


def test_every_value_of_a_football_date_is_the_batch_s():
    with cli.scratch() as tmp:
        snapshot, spec, day = cli.football_snapshot(tmp), cli.FOOTBALL / "spec.json", "2017-05-28"
        cli.football_run(snapshot, tmp / "out", "--from", day, "--to", day)
        with zipfile.ZipFile(tmp / "out" / f"{day}.zip") as packed:
            records = list(csv.DictReader(io.StringIO(packed.read(f"{day}.csv").decode())))
        for number, record in list(enumerate(records))[:: max(1, len(records) - 1)]:
            for name, text in record.items():
                value = why(snapshot, spec, day, number, name)["value"]
                expected = None if text == "" else text if isinstance(value, str) else float(text)
                assert value == expected, (number, name, text, value)


def test_the_mean_of_the_rows_shown_is_the_value():
    with cli.scratch() as tmp:
        snapshot, spec, day = cli.football_snapshot(tmp), cli.FOOTBALL / "spec.json", "2017-05-28"
        for name, column in (("form", "points"), ("conceded", "goals_against"), ("league_goals", "goals_for")):
            report = why(snapshot, spec, day, 2, name, "--limit", 100000)
            shown = values(report, column, used=True)
            assert len(shown) == report["n_rows"] > 4
            assert abs(sum(shown) / len(shown) - report["value"]) < 1e-12, name
            assert all((report["from"] or "") <= d < report["before"] for d in values(report, "match_date"))
            assert values(report, "match_date") == sorted(values(report, "match_date"))


def test_text_shows_the_newest_rows_and_how_many_there_are():
    with cli.scratch() as tmp:
        done = cli.run("spec", "why", cli.FOOTBALL / "spec.json", "--snapshot", cli.football_snapshot(tmp), "--key",
                       "2017-05-28", "--row", 2, "--feature", "league_goals", "--limit", 3)
        cli.says(done.stdout, "league_goals 1.", "on row 2 of 2017-05-28, counted from 0", "cutoff 2017-05-28",
                 "the newest 3 of ", "--limit shows more", "match_date", "USED")
        assert done.stdout.count(" yes ") == 3


def test_a_misspelt_feature_and_a_date_without_rows_are_named():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        ask = ["spec", "why", spec, "--snapshot", snapshot, "--row", 0]
        cli.says(cli.run(*ask, "--key", "2024-02-01", "--feature", "ratng", code=65).stderr, "'ratng'", "'rating'")
        cli.says(cli.run(*ask, "--key", "2024-02-02", "--feature", "rating", code=65).stderr, "2024-02-02", "no rows")
        cli.run(*ask, "--feature", "rating", code=64)


def test_a_cutoff_within_the_day_sees_the_races_before_it():
    with cli.scratch() as tmp:
        (tmp / "runs.csv").write_text("start,race,horse,place\n2024-01-01 10:00,1,a,1\n2024-01-01 11:00,2,a,2\n"
                                      "2024-01-01 12:30,3,a,3\n")
        spec = tmp / "spec.json"
        spec.write_text(json.dumps({
            "spec": 1, "tables": {"runs": {"time": "start", "group": "race", "result_columns": ["place"]}},
            "target": {"table": "runs", "cutoff": "start", "keep": ["race"]},
            "features": {"places": {"calc": "sum(place)", "by": "horse", "days": 1}}}))
        cli.run("snapshot", "create", "--csv", f"runs={tmp}/runs.csv", "--spec", spec, "--out", tmp / "snapshot")
        report = why(tmp / "snapshot", spec, "2024-01-01", 2, "places")
        assert (report["value"], report["cutoff"], report["from"]) == (3, "2024-01-01 12:30:00", "2023-12-31 12:30:00")
        assert values(report, "start") == ["2024-01-01 10:00:00", "2024-01-01 11:00:00"]


if __name__ == "__main__":
    tap.main()
