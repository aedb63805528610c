#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""What hiwari says and how it exits: help, usage, JSON shapes."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap


def verbs():
    return re.findall(r"^  (\S+(?: \S+)?)  +\S", cli.run("help").stdout, re.MULTILINE)


def test_every_verb_has_a_help_that_teaches():
    assert len(verbs()) >= 17, verbs()
    for verb in verbs():
        text = cli.run(*verb.split(), "--help").stdout
        cli.says(text, f"hiwari {verb}", "usage:", "options:", "example:", "exit codes:", "64 ")
        assert cli.run("help", *verb.split()).stdout == text
        prose = text[:text.index("\nexample:")]
        assert max(map(len, prose.splitlines())) <= 80, f"{verb}: wider than a terminal"


def test_every_option_of_the_contract_is_there():
    contract = {
        "run": "snapshot spec dest from to keys limit workers format replace-stale json",
        "snapshot create": "csv out spec drop-null-time", "snapshot index": "spec index-dir", "spec check": "snapshot",
        "enqueue": "spec snapshot dest format from to keys limit newest-first lease-seconds key-seconds max-attempts "
                   "max-interruptions notify replace-stale durable redis",
        "status": "watch json redis", "show": "json", "retry": "all",
        "reconcile": "dest replace-stale include-failed newest-first dry-run notify", "fsck": "repair",
        "collect": "dest out from to allow-missing json", "snapshot push": "json", "snapshot pull": "json"}
    for verb, options in contract.items():
        cli.says(cli.run(*verb.split(), "--help").stdout, *[f"--{option} " for option in options.split()])


def test_a_misspelt_verb_or_option_is_answered_with_the_right_one():
    for words, answer in [(["ruu"], "hiwari run"), (["snapshot", "craete"], "snapshot create"),
                          (["snapshot"], "a second word: snapshot create, "), (["run", "--sanpshot", "x"], "--snapshot"),
                          (["status", "--wacth"], "--watch"), (["help", "reconsile"], "hiwari reconcile")]:
        done = cli.run(*words, code=64)
        cli.says(done.stderr, answer)
        assert done.stdout == ""


def test_a_wrong_command_line_exits_64_and_says_what_is_wrong():
    run = ["run", "--snapshot", "s", "--spec", "f", "--dest", "d"]
    for words, answer in [([], "usage"), (["run"], "--snapshot DIR"), (["show", "b"], "BATCH KEY"),
                          (run + ["--limit", "0"], "--limit"), (run + ["--from", "2024-02-30"], "--from"),
                          (run + ["--from", "2024-02-02", "--to", "2024-02-01"], "--to"), (run + ["--limit"], "needs a value"),
                          (run + ["--format", "xls"], "csv|npz"), (run + ["--json", "--json"], "twice"),
                          (run + ["more"], "'more'"), (["retry", "b"], "--all"), (["status", "--watch"], "BATCH"),
                          (["pause", "Not_A_Name"], "a-z"), (["run", "-v"], "in full"),
                          (["snapshot", "create", "--csv", "=x", "--out", "o"], "NAME=FILE"),
                          (["snapshot", "create", "--csv", "a=x,b", "--out", "o"], "'b'"),
                          (["snapshot", "create", "--csv", "a=x,b:number", "--out", "o"], "integer")]:
        cli.says(cli.run(*words, code=64).stderr, answer)


def test_completion_and_man_page_come_from_the_same_rows():
    script, page = cli.run("completion").stdout, cli.run("man").stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for verb in verbs():
        cli.says(script, verb.split()[-1])
        cli.says(page, f".SS {verb}")
    def complete(*words):
        asked = f"{script}\nCOMP_WORDS=({' '.join(words)}) COMP_CWORD={len(words) - 1}\n_hiwari 2>/dev/null\necho ${{COMPREPLY[@]}}"
        return subprocess.run(["bash", "-c", asked], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert complete("hiwari", "recon") == ["reconcile"]
    assert complete("hiwari", "snapshot", "ver") == ["verify"]
    assert complete("hiwari", "run", "--form") == ["--format"]
    assert complete("hiwari", "run", "--format", "''") == ["csv", "npz"]


def test_what_cannot_be_printed_is_a_failure_but_a_reader_that_stops_is_none():
    with open("/dev/full", "w") as full:
        done = subprocess.run([cli.HIWARI, "help"], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 73, done
    cli.says(done.stderr, "standard output")
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {cli.HIWARI} man | head -c 1"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done
    closed = subprocess.run(["bash", "-c", f"{cli.HIWARI} help >&-"], stderr=subprocess.PIPE, text=True)
    assert closed.returncode == 73, closed


def test_snapshot_show_says_tables_columns_types_nulls_and_dates():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        shown = cli.run_json("snapshot", "show", snapshot)
        table, = shown["tables"]
        assert (table["name"], table["rows"], table["dates"]) == ("appearances", 13016, 547), table
        assert (table["first"], table["last"], table["time"], table["group"]) == \
            ("2013-07-20", "2017-05-28", "match_date", "match_id"), table
        columns = {c["name"]: c for c in table["columns"]}
        assert columns["team"]["type"] == "string" and columns["goals_for"]["nulls"] == 8, columns
        cli.says(cli.run("snapshot", "show", snapshot).stdout, shown["id"], "13,016 rows", "match_date", "date")
        cli.says(cli.run("snapshot", "verify", snapshot).stdout, "whole")


def test_the_same_data_has_the_same_snapshot_id():
    with cli.scratch() as tmp:
        made = [cli.run_json("snapshot", "create", "--csv",
                             f"appearances={cli.FOOTBALL}/appearances.csv,time=match_date,group=match_id",
                             "--out", tmp / name) for name in ("a", "b")]
        assert made[0]["id"] == made[1]["id"] and made[0]["rows"] == 13016, made


def test_spec_check_shows_the_columns_of_a_sample():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        check = ["spec", "check", cli.FOOTBALL / "spec.json", "--snapshot", snapshot]
        report = cli.run_json(*check)
        header = cli.FOOTBALL.joinpath("spec.json").read_text()
        assert report["key"] == "2017-05-28" and report["rows"] > 0, report
        names = [c["name"] for c in report["columns"]]
        assert names[:2] == ["match_date", "match_id"] and names[-1] == "y_won" and len(names) == 25, names
        assert all(name in header for name in names)
        cli.says(cli.run(*check).stdout, "form_gap", "is right")


def test_the_spec_of_the_readme_is_right():
    with cli.scratch() as tmp:
        spec, = re.findall(r"```json\n(.*?)```", (cli.ROOT / "README.md").read_text(), re.DOTALL)
        (tmp / "spec.json").write_text(spec)
        cli.says(cli.run("spec", "check", tmp / "spec.json", "--snapshot", cli.football_snapshot(tmp)).stdout, "is right")


def test_spec_schema_is_json():
    assert "properties" in json.loads(cli.run("spec", "schema").stdout)


STATUS = {"batch", "state", "total", "pending", "delayed", "leased", "done", "failed", "attempts", "interruptions",
          "rate_per_s", "eta_s", "worker_count", "workers", "failures"}


def test_a_batch_through_all_its_verbs():
    with cli.scratch() as tmp, cli.redis() as url:
        env = {**os.environ, "HIWARI_REDIS": url}
        snapshot, dest = cli.football_snapshot(tmp), tmp / "out"
        enqueue = ["enqueue", "foot", "--snapshot", snapshot, "--spec", cli.FOOTBALL / "spec.json", "--dest", dest,
                   "--limit", "20"]
        first = cli.run_json(*enqueue, env=env)
        assert (first["total"], first["added"], first["present"]) == (20, 20, 0), first
        again = cli.run_json(*enqueue, env=env)
        assert (again["added"], again["present"]) == (0, 20), again

        status = cli.run_json("status", "foot", env=env)
        assert set(status) == STATUS, status
        assert (status["state"], status["total"], status["pending"]) == ("running", 20, 20), status
        cli.says(cli.run("status", env=env).stdout, "foot", "running")
        cli.says(cli.run("pause", "foot", env=env).stdout, "paused")
        assert cli.run_json("status", "foot", env=env)["state"] == "paused"
        cli.run("resume", "foot", env=env)
        cli.says(cli.run("status", "food", code=78, env=env).stderr, "did you mean 'foot'")
        moved = cli.run("reconcile", "foot", env=env)
        cli.says(moved.stderr, "no worker is alive", "hiwari-worker --batch foot")

        cli.run("--batch", "foot", "--snapshot", snapshot, program=cli.WORKER, env=env)
        status = cli.run_json("status", "foot", env=env)
        assert (status["state"], status["done"], status["failed"]) == ("settled", 20, 0), status
        key = cli.results(dest)[-1]
        shown = cli.run_json("show", "foot", key, env=env)
        assert (shown["state"], shown["attempts"]) == ("done", 0) and shown["leases"], shown
        cli.says(cli.run("show", "foot", key, env=env).stdout, "done", "WORKER")
        cli.says(cli.run("show", "foot", "1999-01-01", code=65, env=env).stderr, "1999-01-01")
        assert cli.run_json("fsck", "foot", env=env)["findings"] == []
        cli.says(cli.run("retry", "foot", "--all", env=env).stdout, "0 failed keys")
        cli.says(cli.run("purge", "foot", env=env).stdout, "gone from Redis")
        cli.says(cli.run("status", "foot", code=78, env=env).stderr, "no batch 'foot'")


def enqueue_some(tmp, env, *more):
    """A batch foot of three keys."""
    return cli.run("enqueue", "foot", "--snapshot", cli.football_snapshot(tmp), "--spec",
                   cli.FOOTBALL / "spec.json", "--dest", tmp / "out", "--limit", "3", *more, env=env)


def refused(env, verb, *words):
    """The verb is refused with these words, and the batch stays as it is."""
    before = cli.run_json("status", "foot", env=env)["state"]
    done = cli.run(verb, "foot", code=78, env=env)
    cli.says(done.stderr, "foot", *words)
    assert done.stdout == "" and cli.run_json("status", "foot", env=env)["state"] == before, done


def test_a_settled_batch_is_not_said_to_be_paused_resumed_or_cancelled():
    with cli.scratch() as tmp, cli.redis() as url:
        env = {**os.environ, "HIWARI_REDIS": url}
        enqueue_some(tmp, env)
        cli.run("--batch", "foot", "--snapshot", tmp / "snapshot", program=cli.WORKER, env=env)
        for verb, done in [("pause", "paused"), ("resume", "resumed"), ("cancel", "cancelled")]:
            refused(env, verb, "is settled", f"is not {done}", "hiwari retry foot --all", "hiwari purge foot")


def test_a_cancelled_batch_is_not_said_to_be_paused_or_resumed():
    with cli.scratch() as tmp, cli.redis() as url:
        env = {**os.environ, "HIWARI_REDIS": url}
        enqueue_some(tmp, env)
        for verb in ("resume", "pause", "pause", "resume", "cancel", "cancel"):
            cli.says(cli.run(verb, "foot", env=env).stdout, "foot ")  # twice is once
        for verb, done in [("pause", "paused"), ("resume", "resumed")]:
            refused(env, verb, "was cancelled", f"is not {done}", "enqueue it again")


def test_status_exits_1_when_keys_wait_and_no_worker_was_seen_for_two_minutes():
    with cli.scratch() as tmp, cli.redis() as url:
        env = {**os.environ, "HIWARI_REDIS": url}
        assert enqueue_some(tmp, env).stderr == ""
        cli.run("status", "foot", env=env)
        made_earlier = re.sub(r'"made_at": "[^"]*"', '"made_at": "2026-01-31T00:00:00Z"',
                              (tmp / "out" / "_batch.json").read_text())
        redis_cli = ["redis-cli", "-s", url.removeprefix("unix://")]
        subprocess.run([*redis_cli, "-x", "SET", "hiwari:{foot}:json"], input=made_earlier, text=True, check=True,
                       stdout=subprocess.DEVNULL)
        cli.says(cli.run("status", "foot", code=1, env=env).stderr, "no worker was seen for two minutes",
                 "hiwari-worker --batch foot")
        hour_ahead = int(time.time() * 1000) + 3600000  # by the clock of a server that has failed over to this one
        subprocess.run([*redis_cli, "ZADD", "hiwari:{foot}:seen", str(hour_ahead), "w"], check=True,
                       stdout=subprocess.DEVNULL)
        cli.says(cli.run("status", "foot", code=1, env=env).stderr, "no worker was seen for two minutes")
        cli.run("pause", "foot", env=env)
        cli.run("status", "foot", env=env)


def test_durable_says_how_far_the_keys_are_safe():
    with cli.scratch() as tmp, cli.redis() as url:
        env = {**os.environ, "HIWARI_REDIS": url}
        cli.says(enqueue_some(tmp, env, "--durable").stderr, "appendonly no", "hiwari reconcile foot --dest")


def test_a_redis_that_is_not_there_is_named():
    done = cli.run("status", "foot", "--redis", "unix:///nowhere/redis.sock", code=69)
    cli.says(done.stderr, "/nowhere/redis.sock")


def test_run_prints_one_json_object():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        days = ("--from", "2017-05-20", "--json")
        first = json.loads(cli.football_run(snapshot, tmp / "out", *days).stdout)
        assert (first["state"], first["keys"], first["computed"], first["there"], first["failed"]) == \
            ("settled", 4, 4, 0, 0), first
        second = json.loads(cli.football_run(snapshot, tmp / "out", *days).stdout)
        assert (second["computed"], second["there"]) == (0, 4), second


def test_from_and_to_are_inclusive_and_limit_spreads():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        cli.football_run(snapshot, tmp / "a", "--from", "2017-05-25", "--to", "2017-05-28")
        assert cli.results(tmp / "a") == ["2017-05-25", "2017-05-28"], cli.results(tmp / "a")
        cli.football_run(snapshot, tmp / "b", "--limit", "3")
        first, middle, last = cli.results(tmp / "b")
        assert (first, last) == ("2013-07-20", "2017-05-28") and "2014" < middle < "2017", middle


def test_keys_come_from_a_file_or_from_standard_input():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        (tmp / "keys").write_text("# the last two\n2017-05-28\n\n2017-05-25\n")
        cli.football_run(snapshot, tmp / "a", "--keys", tmp / "keys")
        cli.football_run(snapshot, tmp / "b", "--keys", "-", input="2017-05-28\n2017-05-25\n")
        assert cli.results(tmp / "a") == cli.results(tmp / "b") == ["2017-05-25", "2017-05-28"]
        done = cli.football_run(snapshot, tmp / "c", "--keys", "-", input="2017-05-29\n", code=65)
        cli.says(done.stderr, "2017-05-29")


if __name__ == "__main__":
    tap.main()
