#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""_columns.json says what is true of the results beside it, and never stands in their way."""
import csv
import io
import json
import math
import pathlib
import re
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap

LABEL = "y_won"


def columns_of(dest):
    return json.loads((dest / "_columns.json").read_text())


def rows_of(dest):
    """All rows of all results, as text; an empty field is None."""
    rows = []
    for path in sorted(dest.glob("*.zip")):
        with zipfile.ZipFile(path) as packed:
            text = packed.read(path.stem + ".csv").decode()
        rows += [{k: v or None for k, v in row.items()} for row in csv.DictReader(io.StringIO(text))]
    return rows


def pearson(pairs):
    n = len(pairs)
    if n < 2:
        return None
    mx, my = (math.fsum(p[i] for p in pairs) / n for i in (0, 1))
    xx = math.fsum((x - mx) ** 2 for x, _ in pairs)
    yy = math.fsum((y - my) ** 2 for _, y in pairs)
    xy = math.fsum((x - mx) * (y - my) for x, y in pairs)
    return xy / math.sqrt(xx * yy) if xx > 0 and yy > 0 else None


def same(a, b):
    return a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9))


def with_features(tmp, features, labels=None):
    """Football's spec with these members more."""
    spec = json.loads((cli.FOOTBALL / "spec.json").read_text())
    spec["features"].update(features)
    spec["labels"].update(labels or {})
    path = tmp / "spec.json"
    path.write_text(json.dumps(spec))
    return path


def test_every_figure_is_that_of_the_rows_in_the_zips():
    with cli.scratch() as tmp:
        cli.football_run(cli.football_snapshot(tmp), tmp / "out", "--limit", 100)
        said, rows = columns_of(tmp / "out"), rows_of(tmp / "out")
        assert (said["keys"], said["keys_sampled"], said["rows_sampled"]) == (100, 100, len(rows)), said
        assert [c["name"] for c in said["columns"]] == list(rows[0])
        label = [row[LABEL] and float(row[LABEL]) for row in rows]
        for column in said["columns"]:
            values = [row[column["name"]] for row in rows]
            there = [v for v in values if v is not None]
            assert same(column["nulls"], 1 - len(there) / len(rows)), column
            assert column["constant"] == (len(set(values)) == 1), column
            if column["dtype"].startswith("<U"):
                assert column["distinct"] == len(set(there)), column
                assert column["correlation"] == {LABEL: None}, column
            elif column["dtype"] == "datetime64[D]":
                assert (column["min"], column["max"]) == (min(there), max(there)), column
                assert column["min"] < column["mean"] < column["max"], column
            else:
                numbers = [float(v) for v in there]
                assert (column["min"], column["max"]) == (min(numbers), max(numbers)), column
                assert same(column["mean"], math.fsum(numbers) / len(numbers)), column
                pairs = [(float(v), y) for v, y in zip(values, label) if v is not None and y is not None]
                assert same(column["correlation"][LABEL], pearson(pairs)), (column, pearson(pairs))


def test_each_column_has_its_stage_and_a_sentence():
    with cli.scratch() as tmp:
        cli.football_run(cli.football_snapshot(tmp), tmp / "out", "--limit", 3)
        by_name = {c["name"]: c for c in columns_of(tmp / "out")["columns"]}
        stages = {name: by_name[name]["stage"] for name in ("match_date", "team", "form", "form_rank", "form_gap", LABEL)}
        assert stages == {"match_date": "keep", "team": "keep", "form": "window", "form_rank": "group",
                          "form_gap": "expression", LABEL: "label"}, stages
        assert [name for name, c in by_name.items() if c["label"]] == [LABEL]
        cli.says(by_name["form"]["says"], "mean of points", "last 5")
        assert all(c["says"] for c in by_name.values())


def test_dtype_is_what_numpy_load_gives():
    names = {"<i8": "int64", "<f8": "float64", "<f4": "float32", "<M8[D]": "datetime64[D]", "<M8[us]": "datetime64[us]"}
    for float32 in (False, True):
        with cli.scratch() as tmp:
            spec = json.loads((cli.FOOTBALL / "spec.json").read_text())
            if float32:
                spec["output"] = {"float": "f32"}
            (tmp / "spec.json").write_text(json.dumps(spec))
            cli.run("run", "--snapshot", cli.football_snapshot(tmp), "--spec", tmp / "spec.json", "--dest", tmp / "out",
                    "--limit", 2, "--format", "npz")
            with zipfile.ZipFile(next((tmp / "out").glob("*.zip"))) as packed:
                descr = {n[:-4]: re.search(rb"'descr': '([^']*)'", packed.read(n)).group(1).decode()
                         for n in packed.namelist()}
            for column in columns_of(tmp / "out")["columns"]:
                expected = descr[column["name"]]
                assert column["dtype"] == names.get(expected, expected), column


def test_at_most_128_keys_are_sampled_over_the_whole_range():
    with cli.scratch() as tmp:
        cli.football_run(cli.football_snapshot(tmp), tmp / "out")
        said, keys = columns_of(tmp / "out"), cli.results(tmp / "out")
        assert (said["keys"], said["keys_sampled"]) == (547, 128), said
        time = said["columns"][0]
        assert time["min"] == keys[0] and time["max"] > keys[-10], time


def test_a_column_that_knows_the_label_raises_the_alarm():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        spec = with_features(tmp, {"leak": {"expr": "is_home * 2 + form * 0.001"}}, {"y_home": "is_home"})
        done = cli.run("run", "--snapshot", snapshot, "--spec", spec, "--dest", tmp / "out")
        said = columns_of(tmp / "out")
        assert said["alarms"] == ["is_home", "leak"], said["alarms"]
        by_name = {c["name"]: c for c in said["columns"]}
        cli.says(by_name["leak"]["alarm"], "y_home", "1.000")
        assert "alarm" not in by_name["form"] and "alarm" not in by_name["y_home"]
        cli.says(done.stderr, "leak alarm: is_home, leak may know the result", "_columns.json")
        again = json.loads(cli.run("run", "--snapshot", snapshot, "--spec", spec, "--dest", tmp / "out", "--json").stdout)
        assert again["alarms"] == ["is_home", "leak"], again


def test_no_alarm_without_reason():
    with cli.scratch() as tmp:
        done = cli.football_run(cli.football_snapshot(tmp), tmp / "out", "--limit", 60)
        assert columns_of(tmp / "out")["alarms"] == []
        assert "leak" not in done.stderr, done.stderr


def test_few_rows_raise_no_alarm():
    with cli.scratch() as tmp:
        (tmp / "t.csv").write_text("day,x,y\n2024-01-01,1,10\n2024-01-02,2,20\n2024-01-03,3,30\n")
        cli.run("snapshot", "create", "--csv", f"t={tmp}/t.csv,time=day", "--out", tmp / "s")
        (tmp / "spec.json").write_text(json.dumps(
            {"spec": 1, "tables": {"t": {"time": "day"}}, "target": {"table": "t"},
             "features": {"f": {"expr": "x"}}, "labels": {"l": "y"}}))
        cli.run("run", "--snapshot", tmp / "s", "--spec", tmp / "spec.json", "--dest", tmp / "out")
        said = columns_of(tmp / "out")
        assert said["alarms"] == [] and said["columns"][1]["correlation"] == {"l": 1}, said


def test_failed_keys_are_not_in_the_sample():
    with cli.scratch() as tmp:
        (tmp / "t.csv").write_text("day,known,x\n2024-01-01,2024-01-01,1\n2024-01-02,2024-01-09,2\n2024-01-03,2024-01-03,3\n")
        cli.run("snapshot", "create", "--csv", f"t={tmp}/t.csv,time=day", "--out", tmp / "s")
        (tmp / "spec.json").write_text(json.dumps(
            {"spec": 1, "tables": {"t": {"time": "day"}}, "target": {"table": "t", "cutoff": "known"},
             "features": {"f": {"expr": "x"}}}))
        cli.run("run", "--snapshot", tmp / "s", "--spec", tmp / "spec.json", "--dest", tmp / "out", code=1)
        said = columns_of(tmp / "out")
        assert (said["keys"], said["keys_sampled"], said["rows_sampled"]) == (2, 2, 2), said
        assert said["columns"][1]["mean"] == 2, said
        assert not (tmp / "out" / "_SUCCESS").exists()


def test_a_second_run_leaves_it_and_a_damaged_one_is_replaced():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        path = tmp / "out" / "_columns.json"
        cli.football_run(snapshot, tmp / "out", "--limit", 20)
        before, text = path.stat(), path.read_text()
        cli.football_run(snapshot, tmp / "out", "--limit", 20)
        assert (before.st_ino, before.st_mtime_ns) == (path.stat().st_ino, path.stat().st_mtime_ns)
        path.write_text("{")
        done = cli.football_run(snapshot, tmp / "out", "--limit", 20)
        cli.says(done.stdout, "nothing to do")
        assert path.read_text() == text


def test_a_batch_settles_though_it_cannot_be_written():
    with cli.scratch() as tmp:
        (tmp / "out" / "_columns.json").mkdir(parents=True)
        done = cli.football_run(cli.football_snapshot(tmp), tmp / "out", "--limit", 20)
        assert (tmp / "out" / "_SUCCESS").exists() and len(cli.results(tmp / "out")) == 20
        cli.says(done.stderr, "_columns.json could not be written", "the results are not affected")


if __name__ == "__main__":
    tap.main()
