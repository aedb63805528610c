#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari spec explain and spec check: what columns are, what windows cost, what a spec has for nothing."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import small_runs
import tap

CUTOFF = "before the cutoff (the start of the key's day)"
SENTENCES = {
    "day": "the row's own day",
    "starts": f"the number of rows among all rows of the same horse {CUTOFF}",
    "win_rate_l1": f"the mean of won over the last row of the same horse {CUTOFF}; won is place == 1",
    "win_rate_l5": f"the mean of won over the last 5 rows of the same horse {CUTOFF}; won is place == 1",
    "mean_z": f"the mean of z over the rows of the same horse in the 365 days {CUTOFF}; z is zscore(place) within race",
    "trip": "the mean of place over all rows of the same horse, where abs(distance - target.distance) <= 200, "
            f"{CUTOFF}; -1 where that is null",
    "known": f"place of the newest row among all rows of the same horse, with known before the cutoff too, {CUTOFF}",
    "old": f"the largest place among the rows of the same horse in the 20 days that end 7 days {CUTOFF}; "
           "null below 2 rows",
    "shrunk": f"the mean of won over all rows of the same horse and track {CUTOFF}, drawn towards the mean of "
              "everybody's rows as if by 10 rows of it; won is place == 1",
    "rating": f"rating of the newest row of ratings of the same horse {CUTOFF}, if not older than 180 days",
    "sire": "sire of the row of horses whose horse_id is the row's horse; timeless: what the table says today",
    "rating_rank": "the rank of rating, the largest first, among the rows of the date with the same race",
    "rival": "the largest rating among the other rows of the date with the same race",
    "gap": "rating - rival, computed on the row itself",
    "cyc_cos": "the cosine of 2 pi times month(day) / 12",
    "at_K": "1 where track is 'K', else 0",
    "y": "won, computed on the row itself; won is place == 1; a label: it may read what is known only afterwards",
}
STAGES = {"day": "keep", "starts": "window", "rating": "as-of", "rating_age_days": "as-of", "sire": "lookup",
          "rival": "group", "gap": "expression", "y": "expression"}


def window_of(report, column):
    numbers = {c["name"]: c.get("window") for c in report["columns"]}
    return report["windows"][numbers[column]]


def test_every_column_has_its_sentence_stage_and_place():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        report = cli.run_json("spec", "explain", spec, "--snapshot", snapshot)
        columns = {c["name"]: c for c in report["columns"]}
        for name, sentence in SENTENCES.items():
            assert columns[name]["says"] == sentence, (name, columns[name]["says"])
        for name, stage in STAGES.items():
            assert columns[name]["stage"] == stage, columns[name]
        assert [c["name"] for c in report["columns"] if c["label"]] == ["y"]
        text = cli.run("spec", "explain", spec, "--snapshot", snapshot).stdout
        cli.says(text, "COLUMN", *columns, *SENTENCES.values(), "ROWS PER KEY")


def test_features_of_other_values_have_other_sentences():
    exprs = {"of": "onehot(sire, ['Zeus'])", "of_track": "onehot(track, ['T'])"}
    calcs = [f"{rank}(rating{words})" for rank in ("rank", "pct_rank")
             for words in ("", ", desc", ", avg", ", max", ", dense", ", first")]
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        document = json.loads(spec.read_text())
        document["features"].update({name: {"expr": text} for name, text in exprs.items()})
        document["features"].update({f"r{i}": {"calc": calc, "within": "race"} for i, calc in enumerate(calcs)})
        spec.write_text(json.dumps(document))
        says = {c["name"]: c["says"] for c in cli.run_json("spec", "explain", spec, "--snapshot", snapshot)["columns"]}
        assert says["of_Zeus"] == "1 where sire is 'Zeus', else 0, and null where sire is null"
        assert says["of_track_T"] == "1 where track is 'T', else 0"
        assert len({says[f"r{i}"] for i in range(len(calcs))}) == len(calcs), says


def test_the_cutoff_of_a_row_is_said():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp, cutoff="day")
        report = cli.run_json("spec", "explain", spec, "--snapshot", snapshot)
        assert report["cutoff"] == "the start of the row's day"


def test_rows_per_key_are_the_rows_of_the_windows():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        report = cli.run_json("spec", "explain", spec, "--snapshot", snapshot)
        assert (report["sampled_keys"], report["sampled_rows"]) == (4, 8)
        # both horses have 0, 1, 2 and 3 earlier rows on the four days
        assert window_of(report, "starts")["rows_per_key"] == (0 + 2 + 4 + 6) / 4
        assert window_of(report, "starts")["rows_per_row"] == 12 / 8
        assert window_of(report, "win_rate_l1")["rows_per_key"] == (0 + 2 + 2 + 2) / 4
        # 2024-01-08: r1 within 200; 2024-01-15 at 1800: none; 2024-02-01 at 1200: r1 and r2
        assert window_of(report, "trip")["rows_per_key"] == (0 + 2 + 0 + 4) / 4
        assert window_of(report, "trip")["filtered"]
        assert window_of(report, "rating") == window_of(report, "rating_age_days")
        last = cli.run_json("spec", "explain", spec, "--snapshot", snapshot, "--sample", 1)
        assert (last["sampled_keys"], window_of(last, "starts")["rows_per_key"]) == (1, 6)


def test_an_index_that_is_written_is_there_and_sums_are_said():
    with cli.scratch() as tmp:
        snapshot, spec = cli.football_snapshot(tmp), cli.FOOTBALL / "spec.json"
        before = cli.run_json("spec", "explain", spec, "--snapshot", snapshot)
        cli.run("snapshot", "index", snapshot, "--spec", spec)
        after = cli.run_json("spec", "explain", spec, "--snapshot", snapshot)
        assert {w["index"] for w in before["windows"]} == {False}
        assert {w["index"] for w in after["windows"]} == {True}
        for window in (*before["windows"], *after["windows"]):
            window.pop("index")
        assert before == after
        reads = {c["name"]: c.get("reads") for c in after["columns"]}
        assert (reads["points_mean"], reads["played"], reads["scored_median"]) == ("sums", "ends", "rows")
        text = cli.run("spec", "explain", spec, "--snapshot", snapshot).stdout
        cli.says(text, "there", "sums: two reads a value", "reads every row")
        assert "not there" not in text
        elsewhere = cli.run("spec", "explain", spec, "--snapshot", snapshot, "--index-dir", tmp / "empty").stdout
        cli.says(elsewhere, "not there", "hiwari snapshot index")


def test_check_notes_what_nothing_reads_and_what_is_timeless_and_ends_well():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp)
        done = cli.run("spec", "check", spec, "--snapshot", snapshot)
        cli.says(done.stderr, "features.sire looks up horses.sire", "tables.runs.columns.idle", "windows.never")
        assert done.stderr.count("note: ") == 3, done.stderr
        report = cli.run_json("spec", "check", spec, "--snapshot", snapshot)
        assert len(report["notes"]) == 3 and report["key"] == "2024-02-01"
        spec.write_text(spec.read_text().replace('"asof": "ratings.rating", "by": "horse", "max_age_days": 180, '
                                                 '"age": true', '"calc": "sum(distance)", "by": "horse"'))
        cli.says(cli.run("spec", "check", spec, "--snapshot", snapshot).stderr, "tables.ratings: no feature reads it")


def test_check_of_football_has_nothing_to_note():
    with cli.scratch() as tmp:
        done = cli.run("spec", "check", cli.FOOTBALL / "spec.json", "--snapshot", cli.football_snapshot(tmp))
        assert done.stderr == "", done.stderr


if __name__ == "__main__":
    tap.main()
