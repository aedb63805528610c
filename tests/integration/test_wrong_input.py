#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Wrong specs, wrong data, full disks, missing servers: a clear answer, and nothing half done."""
import json
import os
import pathlib
import resource
import shutil
import signal
import sys
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap

SPEC = json.loads((cli.FOOTBALL / "spec.json").read_text())


def changed(**features):
    spec = json.loads(json.dumps(SPEC))
    spec["features"].update(features)
    return json.dumps(spec)


def over_team(calc, **more):
    return {"calc": calc, "by": "team", **more}


# the spec's text, and what the answer must name: where, what, and the way out
WRONG_SPECS = {
    "unknown column": (changed(bad=over_team("mean(gaols_for)")), ["features.bad", "gaols_for", "goals_for"]),
    "unknown calc": (changed(bad=over_team("maen(points)")), ["features.bad", "maen", "mean"]),
    "result column on a target row": (changed(bad={"expr": "goals_for * 2"}), ["features.bad", "goals_for"]),
    "cycle": (changed(a={"expr": "b + 1"}, b={"expr": "a + 1"}), ["features.a", "features.b"]),
    "wrong JSON": (json.dumps(SPEC)[:-10], ["line"]),
    "misspelt member": (changed(bad=over_team("count()", lsat=5)), ["features.bad", "lsat", "last"]),
    "doubled member": (json.dumps(SPEC).replace('"spec": 1', '"spec": 1, "spec": 1'), ["spec", "twice"]),
}


def test_a_wrong_spec_is_answered_with_what_where_and_how_before_any_key():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        for name, (text, words) in WRONG_SPECS.items():
            spec = tmp / "wrong.json"
            spec.write_text(text)
            for done in (cli.run("spec", "check", spec, "--snapshot", snapshot, code=None),
                         cli.run("run", "--snapshot", snapshot, "--spec", spec, "--dest", tmp / "out", code=None)):
                assert done.returncode in (65, 78), (name, done)
                cli.says(done.stderr, "hiwari: ", *words)
                assert done.stdout == "" and done.stderr.count("\n") == 1, (name, done)
            assert not cli.results(tmp / "out") and not (tmp / "out" / "_batch.json").exists(), name


WRONG_CSV = {  # the lines, and the place that the answer must name
    "a field too many": (["d,x", "2024-01-01,1", "2024-01-02,2,3"], ["line 3"]),
    "a field too few": (["d,x", "2024-01-01,1", "2024-01-02"], ["line 3"]),
    "a quote that never ends": (["d,x", "2024-01-01,1", '2024-01-02,"2'], ["line 3", "quote"]),
    "a stray quote": (["d,x", '2024-01-01,a"b'], ["line 2"]),
    "a name twice": (["d,d", "2024-01-01,1"], ["line 1", '"d" twice']),
    "no time": (["d,x", ",1"], ["line 2", "d"]),
    "a value of another type": (["d,x", "2024-01-01,1", "2024-01-02,one"], ["line 3", "x", "one"]),
}


def test_a_malformed_csv_is_named_by_file_and_line_and_no_half_snapshot_stays():
    with cli.scratch() as tmp:
        for name, (lines, words) in WRONG_CSV.items():
            (tmp / "t.csv").write_text("\n".join(lines) + "\n")
            done = cli.run("snapshot", "create", "--csv", f"t={tmp}/t.csv,time=d,x:integer", "--out", tmp / "out",
                           code=65)
            cli.says(done.stderr, "t.csv", *words)
            assert sorted(os.listdir(tmp)) == ["t.csv"], (name, os.listdir(tmp))
        (tmp / "t.csv").write_bytes(b"d,x\n2024-01-01,M\xfcnchen\n")
        done = cli.run("snapshot", "create", "--csv", f"t={tmp}/t.csv,time=d", "--out", tmp / "out", code=65)
        cli.says(done.stderr, "t.csv", "line 2", "column", "UTF-8")
        cli.says(cli.run("snapshot", "create", "--csv", f"t={tmp}/none.csv,time=d", "--out", tmp / "out", code=65).stderr,
                 "none.csv", "No such file")


def test_control_characters_of_a_csv_do_not_reach_the_terminal():
    with cli.scratch() as tmp:
        for text in ("d,x\n2024-01-01,1\n2024-01-01\x1b[31m日,2\n", "d,x\n2024-01-01,1\n\x9b31m日,\n",
                     "d,x\x1b]0;owned\x07日,x\x1b]0;owned\x07日\n2024-01-01,1,2\n",
                     "d,\x1b[2J日\n2024-01-01,1\n2024-01-02,\x7f\x1b[2Jone\n"):
            (tmp / "t.csv").write_text(text)
            name = "" if "日,x" in text else ",\x1b[2J日:integer" if "2J日" in text else ""
            said = cli.run("snapshot", "create", "--csv", f"t={tmp}/t.csv,time=d{name}", "--out", tmp / "out",
                           code=None).stderr
            controls = [c for c in said if c != "\n" and unicodedata.category(c) == "Cc"]
            assert said and "日" in said and not controls, (text, said)


def test_a_missing_redis_server_is_named_with_its_package():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        done = cli.football_run(snapshot, tmp / "out", code=78, env={"PATH": str(tmp)})
        cli.says(done.stderr, "redis-server", "apt-get install redis-server")
        assert not (tmp / "out" / "_batch.json").exists()


def test_a_destination_that_cannot_be_written_is_named():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        (tmp / "file").write_text("")
        done = cli.football_run(snapshot, tmp / "file" / "out", code=73)
        cli.says(done.stderr, f"{tmp}/file")


def test_a_snapshot_file_cut_short_is_named():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        victim = snapshot / "appearances" / "points.npy"
        os.truncate(victim, victim.stat().st_size - 8)
        for done in (cli.football_run(snapshot, tmp / "out", code=78),
                     cli.run("snapshot", "show", snapshot, code=78), cli.run("snapshot", "verify", snapshot, code=78)):
            cli.says(done.stderr, "points.npy")
        assert not cli.results(tmp / "out")


def test_a_changed_byte_is_found_by_verify():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        with open(snapshot / "appearances" / "points.npy", "r+b") as victim:
            victim.seek(-4, os.SEEK_END)
            victim.write(b"\x07")
        cli.says(cli.run("snapshot", "verify", snapshot, code=78).stderr, "points.npy")


def test_a_changed_byte_of_an_index_is_found_by_verify():
    with cli.scratch() as tmp:
        snapshot, elsewhere = cli.football_snapshot(tmp), tmp / "elsewhere"
        for where, folder in ([], snapshot / "index"), (["--index-dir", elsewhere], elsewhere):
            cli.run("snapshot", "index", snapshot, "--spec", cli.FOOTBALL / "spec.json", *where)
            cli.says(cli.run("snapshot", "verify", snapshot, *where).stdout, "indexes in", str(folder))
        with open(next(elsewhere.glob("*/place.npy")), "r+b") as victim:
            victim.seek(-4, os.SEEK_END)
            victim.write(b"\xff")
        cli.says(cli.run("snapshot", "verify", snapshot).stdout, "every checksum is right")
        cli.says(cli.run("snapshot", "verify", snapshot, "--index-dir", elsewhere, code=78).stderr, "place.npy",
                 "remove the folder", "hiwari snapshot index")


def limit_files_to(size):
    """For a child: a file that grows beyond size fails as on a full disk. The index and results stay below it."""
    def set_limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return set_limit


def test_a_full_disk_leaves_no_half_snapshot():
    with cli.scratch() as tmp:
        done = cli.run("snapshot", "create", "--csv", f"appearances={cli.FOOTBALL}/appearances.csv", "--spec",
                       cli.FOOTBALL / "spec.json", "--out", tmp / "out", code=73, preexec_fn=limit_files_to(20000))
        cli.says(done.stderr, str(tmp))
        assert os.listdir(tmp) == [], os.listdir(tmp)


def test_a_full_disk_under_the_results_loses_nothing():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        cli.run("snapshot", "index", snapshot, "--spec", cli.FOOTBALL / "spec.json")
        days = ("--from", "2017-05-13")
        done = cli.football_run(snapshot, tmp / "out", *days, code=None, preexec_fn=limit_files_to(3000))
        assert done.returncode in (1, 73), done
        cli.says(done.stderr, str(tmp / "out"))
        assert not (tmp / "out" / "_SUCCESS").exists()
        for path in (tmp / "out").glob("*.zip"):
            shutil.unpack_archive(path, tmp / "unpacked")  # whole, or not there
        cli.football_run(snapshot, tmp / "out", *days)
        assert (tmp / "out" / "_SUCCESS").exists()
        assert len(cli.results(tmp / "out")) > 5


def test_another_spec_over_the_same_destination_is_refused_with_both_ways_out():
    with cli.scratch() as tmp:
        snapshot, days = cli.football_snapshot(tmp), ("--from", "2017-05-20")
        cli.football_run(snapshot, tmp / "out", *days)
        (tmp / "other.json").write_text(changed(more=over_team("sum(points)")))
        other = ["run", "--snapshot", snapshot, "--spec", tmp / "other.json", "--dest", tmp / "out", *days]
        cli.says(cli.run(*other, code=78).stderr, "--replace-stale", "another destination")
        cli.says(cli.run(*other, "--replace-stale").stdout, "4 keys, ")
        cli.says(cli.run(*other).stdout, "nothing to do")


if __name__ == "__main__":
    tap.main()
