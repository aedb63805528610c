#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""The same destination again: with more days, corrected data, another spec, another batch."""
import csv
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

CORRECTED = "2015-03-01"


def snapshot_of(batch, name, change):
    """A snapshot of football's rows after `change(row)`, which drops a row by returning False."""
    source = batch.tmp / f"{name}.csv"
    with open(cli.FOOTBALL / "appearances.csv", encoding="utf-8", newline="") as old, \
            open(source, "w", encoding="utf-8", newline="") as new:
        reader = csv.DictReader(old)
        writer = csv.DictWriter(new, reader.fieldnames, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in reader if change(row) is not False)
    out = batch.tmp / name
    cli.run("snapshot", "create", "--csv", f"appearances={source}", "--spec", cli.FOOTBALL / "spec.json", "--out", out)
    return out


def until(day):
    return lambda row: row["match_date"] <= day


def with_another_feature(batch):
    spec = json.loads(cli.FOOTBALL.joinpath("spec.json").read_text())
    spec["features"]["newest"] = {"calc": "first(points)", "by": "team"}
    path = batch.tmp / "another.json"
    path.write_text(json.dumps(spec))
    return path


def test_another_spec_is_refused_with_both_ways_out_and_replaces_when_asked_to():
    with hiwari.football() as batch:
        batch.enqueue()
        batch.finish()
        there = batch.written()
        spec = with_another_feature(batch)
        refused = batch.enqueue(spec=spec, code=78).stderr
        cli.says(refused, "547 results", "another spec", "--replace-stale", "another destination")
        assert batch.written() == there and batch.has_success()
        said = batch.enqueue("--replace-stale", spec=spec).stdout
        cli.says(said, "547 added")
        assert not batch.has_success()
        batch.finish()
        now = batch.written()
        assert len(now) == hiwari.KEYS and all(now[key] != there[key] for key in there)
        assert batch.has_success()
        cli.says(batch.enqueue("--replace-stale", spec=spec).stdout, " 0 added")
        assert batch.has_success()


def test_a_format_is_refused_and_replaced_like_a_spec():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 5)
        batch.finish()
        cli.says(batch.enqueue("--limit", 5, "--format", "npz", code=78).stderr, "another format", "--replace-stale")
        batch.enqueue("--limit", 5, "--format", "npz", "--replace-stale")
        batch.finish()
        assert batch.manifest()[0]["format"] == "npz" and batch.has_success()


def test_more_days_compute_only_the_new_ones():
    with hiwari.football() as batch:
        short = snapshot_of(batch, "short", until("2016-12-31"))
        batch.enqueue(snapshot=short)
        batch.finish(snapshot=short)
        there = batch.written()
        said = batch.enqueue().stdout
        cli.says(said, f"{hiwari.KEYS - len(there)} added", f"{len(there)} skipped")
        assert not batch.has_success()
        batch.worker(snapshot=short).wait(78)
        batch.finish()
        batch.check()
        now = batch.written()
        assert all(now[key] == when for key, when in there.items())


def correct_score(row):
    if row["match_date"] == CORRECTED and row["goals_for"]:
        row["goals_for"] = str(int(row["goals_for"]) + 1)


def test_a_correction_makes_stale_what_follows_it_and_nothing_else():
    with hiwari.football() as batch:
        batch.enqueue()
        batch.finish()
        there = batch.written()
        after = [key for key in there if key >= CORRECTED]
        corrected = snapshot_of(batch, "corrected", correct_score)
        said = batch.enqueue(snapshot=corrected)
        cli.says(said.stdout, " 0 added")
        cli.says(said.stdout + said.stderr, f"{len(after)} ", "older data")
        batch.finish(snapshot=corrected)
        assert batch.written() == there and batch.has_success()
        said = batch.enqueue("--replace-stale", snapshot=corrected).stdout
        cli.says(said, f"{len(after)} added")
        batch.finish(snapshot=corrected)
        now = batch.written()
        assert sorted(key for key in now if now[key] != there[key]) == sorted(after)
        assert batch.has_success()


def test_stale_results_are_replaced_once_though_redis_forgets_in_between():
    with hiwari.football() as batch:
        batch.enqueue()
        batch.finish()
        corrected = snapshot_of(batch, "corrected", correct_score)
        batch.enqueue("--replace-stale", snapshot=corrected)
        worker = batch.worker(snapshot=corrected)
        old = batch.written()
        cli.wait_until(lambda: batch.written() != old, "a result is replaced")
        worker.kill()
        half = {key: when for key, when in batch.written().items() if when != old[key]}
        batch.redis_cli("FLUSHALL")
        batch.hiwari("reconcile", batch.name, "--dest", f"file://{batch.dest}")
        batch.finish(snapshot=corrected)
        now = batch.written()
        assert all(now[key] == when for key, when in half.items())
        assert sorted(key for key in now if now[key] != old[key]) == sorted(k for k in old if k >= CORRECTED)
        assert batch.has_success()


def test_while_a_batch_is_unsettled_nothing_else_takes_its_name_or_its_destination():
    with hiwari.football() as batch:
        batch.enqueue()
        spec = with_another_feature(batch)
        cli.says(batch.enqueue(spec=spec, code=75).stderr, "not settled", "another spec")
        cli.says(batch.enqueue("--format", "npz", code=75).stderr, "another format")
        elsewhere = hiwari.Batch(batch.tmp, batch.redis, batch.snapshot, batch.spec)
        elsewhere.dest = batch.tmp / "elsewhere"
        cli.says(elsewhere.enqueue(code=75).stderr, "another destination")
        other = hiwari.Batch(batch.tmp, batch.redis, batch.snapshot, batch.spec, name="other")
        cli.says(other.enqueue(code=75).stderr, "destination of batch fb")
        assert json.loads((batch.dest / "_batch.json").read_text())["batch"] == "fb"
        batch.finish()
        batch.check()
        cli.says(other.enqueue().stdout, "547 skipped")
        other.finish()
        assert other.status()["state"] == "settled"


def test_fewer_keys_first_and_the_rest_later():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 10)
        cli.says(batch.enqueue(code=None).stdout, "537 refused")
        batch.finish()
        cli.says(batch.enqueue().stdout, "537 added", "10 skipped")
        batch.finish()
        batch.check()


def test_wrong_keys_are_named_before_anything_is_enqueued():
    with hiwari.football() as batch:
        keys = batch.tmp / "keys"
        for line, words in (("2014-08-32", "not a date"), ("2014-12-25", "no rows"), ("../x", "not a date")):
            keys.write_text(f"2014-08-16\n{line}\n")
            cli.says(batch.enqueue("--keys", keys, code=65).stderr, line, words)
        cli.says(batch.enqueue("--from", "2030-01-01", code=65).stderr, "no rows")
        cli.says(batch.enqueue("--from", "yesterday", code=64).stderr, "yesterday")
        assert not batch.dest.exists() or not list(batch.dest.iterdir())
        keys.write_text("2014-08-17\n2014-08-16\n2014-08-16\n")
        cli.says(batch.enqueue("--keys", keys).stdout, "2 keys")
        batch.finish()
        assert cli.results(batch.dest) == ["2014-08-16", "2014-08-17"]


if __name__ == "__main__":
    tap.main()
