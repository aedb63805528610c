#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""snapshot create --append: an old snapshot and the rows from its last date on are a snapshot of everything."""
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

FOOTBALL = (cli.FOOTBALL / "appearances.csv").read_text(encoding="utf-8").splitlines()
ROLES = "time=match_date,group=match_id"


def football(path, wanted=lambda date: True, change=lambda line: line):
    """The football rows of the dates that are wanted."""
    rows = [change(line) for line in FOOTBALL[1:] if wanted(line.split(",")[1])]
    path.write_text("\n".join([FOOTBALL[0], *rows]) + "\n", encoding="utf-8")
    return path


def create(out, *tables, code=0, more=()):
    args = [arg for table in tables for arg in ("--csv", table)]
    done = cli.run("snapshot", "create", *args, "--out", out, *more, code=code)
    if code == 0:
        cli.run("snapshot", "verify", out)
    return done


def append(old, out, *tables, code=0, more=()):
    return create(out, *tables, code=code, more=["--append", old, *more])


def identity(snapshot):
    return cli.run_json("snapshot", "show", snapshot)["id"]


def same_files(a, b):
    """Every file but snapshot.json, which also tells where the data is from."""
    names = sorted(str(p.relative_to(a)) for p in a.rglob("*.npy"))
    assert names == sorted(str(p.relative_to(b)) for p in b.rglob("*.npy"))
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def is_shut(path):
    return not path.exists() and not list(path.parent.glob(f".{path.name}.tmp-*"))


def test_rows_from_the_last_date_on_make_the_snapshot_of_everything():
    with cli.scratch() as tmp:
        everything = football(tmp / "all.csv")
        create(tmp / "all", f"a={everything},{ROLES}")
        half_a_day = [line for line in FOOTBALL if ",2016-12-31," in line][0]
        create(tmp / "old", f"a={football(tmp / 'old.csv', lambda d: d < '2016-12-31')},{ROLES}")
        (tmp / "torn.csv").write_text((tmp / "old.csv").read_text(encoding="utf-8") + half_a_day + "\n",
                                      encoding="utf-8")
        create(tmp / "torn", f"a={tmp}/torn.csv,{ROLES}")  # made in the middle of a match day
        tail = football(tmp / "tail.csv", lambda d: d >= "2016-12-31")
        done = append(tmp / "torn", tmp / "a", f"a={everything}")  # roles are the old snapshot's
        passed = sum(1 for line in FOOTBALL[1:] if line.split(",")[1] < "2016-12-31")
        cli.says(done.stderr, "passed over", "2016-12-31", str(passed))
        append(tmp / "torn", tmp / "b", f"a={tail},{ROLES}")
        append(tmp / "torn", tmp / "c", f"a={tail},{ROLES}", more=["--memory", "64K"])
        append(tmp / "old", tmp / "d", f"a={tail}", more=["--since", "0"])
        append(tmp / "old", tmp / "e", f"a={everything}", more=["--since", "100000"])
        for name in "abcde":
            assert identity(tmp / name) == identity(tmp / "all"), name
            same_files(tmp / name, tmp / "all")
        source = json.loads((tmp / "b" / "snapshot.json").read_text())["tables"][0]["source"]
        cli.says(source, "rows before 2016-12-31 of snapshot " + identity(tmp / "torn")[:16], "tail.csv")


def test_late_corrections_are_within_since():
    def correct(line):
        return line.replace(",3", ",1") if ",2016-12-10," in line else line
    with cli.scratch() as tmp:
        create(tmp / "old", f"a={football(tmp / 'old.csv', lambda d: d <= '2016-12-17')},{ROLES}")
        now = football(tmp / "now.csv", lambda d: d <= "2017-03-01", correct)
        create(tmp / "all", f"a={now},{ROLES}")
        append(tmp / "old", tmp / "late", f"a={now}", more=["--since", "8"])
        append(tmp / "old", tmp / "early", f"a={now}", more=["--since", "7"])
        assert identity(tmp / "late") == identity(tmp / "all") != identity(tmp / "early")
        now.write_text(now.read_text(encoding="utf-8").replace(FOOTBALL[1] + "\n", ""), encoding="utf-8")
        cli.says(append(tmp / "old", tmp / "less", f"a={now}").stderr, "another number of rows", "--since")


def random_rows(rng, days, first=0):
    rows = []
    for _ in range(rng.randrange(1, 400)):
        day = first + rng.randrange(days)
        rows.append((day, f"2024-{1 + day // 28:02}-{1 + day % 28:02},g{rng.randrange(4)},{rng.randrange(-99, 99)},"
                     f"{rng.randrange(9999) / 100:.2f},{rng.random() if rng.randrange(4) else ''},"
                     f"{'' if day < 15 or rng.randrange(3) else 7},"
                     f"{rng.choice(['', 'a', chr(34) * 2, f'only {day}', f'x{rng.randrange(20)}'])}"))
    return rows


def test_random_tables_appended_at_random_days():
    header = "day,grp,n,price,ratio,later,word\n"
    rng = random.Random(7)
    equal = refused = 0
    with cli.scratch() as tmp:
        for i in range(25):
            rows = random_rows(rng, 90)
            cut = rng.randrange(1, 90)
            kept, late = [r for r in rows if r[0] < cut], [r for r in rows if r[0] >= cut]
            torn = [r for r in late if r[0] == cut][:2]  # a last day of which only a part was there
            if not torn:
                continue
            for name, part in (("all", kept + late), ("old", kept + torn), ("late", late)):
                (tmp / f"{name}{i}.csv").write_text(header + "\n".join(r[1] for r in part) + "\n")
                if name != "late":
                    create(tmp / f"{name}{i}", f"t={tmp}/{name}{i}.csv,time=day,group=grp")
            done = append(tmp / f"old{i}", tmp / f"new{i}", f"t={tmp}/late{i}.csv", code=None)
            if done.returncode == 0:
                same_files(tmp / f"new{i}", tmp / f"all{i}")
                assert identity(tmp / f"new{i}") == identity(tmp / f"all{i}")
                equal += 1
            else:
                assert done.returncode == 65, done.stderr
                cli.says(done.stderr, "without --append")
                refused += 1
    print(f"# {equal} equal, {refused} refused")
    assert equal > 5


TYPES = [  # first rows, the last day of the old snapshot, what comes; the way out, or None where it succeeds
    ("int", "1", "2", "3", None),
    ("int becomes decimal", "1", "2", "2.5", "whole number"),
    ("int becomes string", "1", "2", "x", "whole number"),
    ("a null comes", "1", "2", "", None),
    ("the only null goes", "1", "", "2", None),
    ("decimal was shown", "1.25", "2", "3", None),
    ("a trailing zero shows nothing", "1.50", "2", "3", "x:decimal(2)"),
    ("a trailing zero shows in what comes", "1.50", "2", "3.10", None),
    ("more places", "1.25", "2", "3.125", "places"),
    ("only the last day was decimal", "1", "2.5", "3", "x:decimal(1)"),
    ("a float", "0.3333333333333333", "1", "2", None),
    ("a float that may be whole", "1e3", "1", "2", "x:float"),
    ("nulls that get a value", "", "", "1", "x:float"),
    ("nulls that stay", "", "", "", None),
    ("a date", "2024-01-01", "", "2024-05-05", None),
    ("a date becomes a string", "2024-01-01", "", "soon", "date of the form"),
    ("a string", "a", "b", "7", None),
    ("only the last day was a string", "1", "unknown", "2", "x:string"),
    ("an empty string", '""', "1", "2", None),
    ("an id too large for a double", "12345678901234567.5", "1", "2", "x:float"),
]


def test_each_type_is_that_of_everything_or_the_way_out_is_named():
    with cli.scratch() as tmp:
        for i, (name, first, last, coming, way_out) in enumerate(TYPES):
            old, new, full = tmp / f"old{i}.csv", tmp / f"new{i}.csv", tmp / f"all{i}.csv"
            old.write_text(f"day,x\n2024-01-01,{first}\n2024-01-02,{last}\n")
            new.write_text(f"day,x\n2024-01-02,{coming}\n")
            full.write_text(f"day,x\n2024-01-01,{first}\n2024-01-02,{coming}\n")
            create(tmp / f"old{i}", f"t={old},time=day")
            create(tmp / f"all{i}", f"t={full},time=day")
            done = append(tmp / f"old{i}", tmp / f"new{i}", f"t={new}", code=65 if way_out else 0)
            if not way_out:
                assert identity(tmp / f"new{i}") == identity(tmp / f"all{i}"), name
                continue
            assert is_shut(tmp / f"new{i}"), name
            cli.says(done.stderr, way_out, "x", "without --append" if way_out != "places" else "places")
            if way_out.startswith("x:"):  # as the message says: then it is a snapshot of everything, so declared
                append(tmp / f"old{i}", tmp / f"new{i}", f"t={new},{way_out}")
                create(tmp / f"so{i}", f"t={full},time=day,{way_out}")
                assert identity(tmp / f"new{i}") == identity(tmp / f"so{i}"), name


def test_static_tables_are_read_whole_and_others_stay():
    with cli.scratch() as tmp:
        football(tmp / "old.csv", lambda d: d < "2015")
        football(tmp / "new.csv", lambda d: "2014-12-20" < d < "2016")
        football(tmp / "all.csv", lambda d: d < "2016")
        (tmp / "k1.csv").write_text("team,city\nA,x\nB,y\n")
        (tmp / "k2.csv").write_text("team,city\nA,x\nC,12\n")
        (tmp / "e.csv").write_text("day,x\n2024-01-01,1\n")
        static, extra = "k={}/k{}.csv,key=team", f"e={tmp}/e.csv,time=day"
        create(tmp / "old", f"a={tmp}/old.csv,{ROLES}", static.format(tmp, 1), extra)
        create(tmp / "all", f"a={tmp}/all.csv,{ROLES}", static.format(tmp, 2), extra)
        done = append(tmp / "old", tmp / "new", f"a={tmp}/new.csv", static.format(tmp, 2))
        cli.says(done.stderr, "not named", "e")
        assert identity(tmp / "new") == identity(tmp / "all")


def test_what_would_lose_rows_or_mix_snapshots_is_refused():
    with cli.scratch() as tmp:
        create(tmp / "old", f"a={football(tmp / 'old.csv', lambda d: d < '2016')},{ROLES}")
        later = football(tmp / "later.csv", lambda d: d >= "2016")
        nothing = football(tmp / "nothing.csv", lambda d: False)

        def fails(code, words, table, *more):
            out = tmp / "new"
            cli.says(append(tmp / "old", out, table, code=code, more=more).stderr, *words)
            assert is_shut(out)
        fails(65, ["2015-12-30", "later.csv begins at 2016-01-02", "--since 0"], f"a={later}")
        fails(65, ["nothing.csv has no rows", "--since 0"], f"a={nothing}")
        fails(64, ["match_date", "not points"], f"a={later},time=points")
        fails(65, ["column 'x'"], f"a={cut_columns(tmp, later)}")
        append(tmp / "old", tmp / "same", f"a={nothing}", more=["--since", "0"])
        assert identity(tmp / "same") == identity(tmp / "old")
        (tmp / "e").mkdir()
        fails(64, ["--append", "twice"], f"a={later}", "--append", tmp / "e")
        with open(tmp / "old" / "a" / "team.npy", "r+b") as file:  # a disk has turned a byte
            file.seek(1000)
            byte = file.read(1)
            file.seek(1000)
            file.write(bytes([byte[0] ^ 1]))
        fails(78, ["a/team.npy", "checksum"], f"a={later}", "--since", "0")


def cut_columns(tmp, path):
    lines = path.read_text(encoding="utf-8").splitlines()
    (tmp / "x.csv").write_text("\n".join([lines[0] + ",x", *(line + ",1" for line in lines[1:])]) + "\n",
                               encoding="utf-8")
    return tmp / "x.csv"


def test_only_days_that_are_new_or_changed_are_computed():
    with hiwari.football() as batch:
        tmp = batch.tmp
        create(tmp / "old", f"appearances={football(tmp / 'old.csv', lambda d: d < '2016-12-10')},{ROLES}")

        def correct(line):  # of the last match day that the old snapshot has
            return line.rpartition(",")[0] + ",2" if line.split(",")[1] == last else line
        last = cli.run_json("snapshot", "show", tmp / "old")["tables"][0]["last"]
        now = football(tmp / "now.csv", lambda d: d < "2017-02-01", correct)
        append(tmp / "old", tmp / "new", f"appearances={now}")
        batch.enqueue(snapshot=tmp / "old")
        batch.finish(snapshot=tmp / "old")
        there = batch.written()
        later = {line.split(",")[1] for line in FOOTBALL[1:] if "2016-12-10" <= line.split(",")[1] < "2017-02-01"}
        done = batch.enqueue(snapshot=tmp / "new")
        cli.says(done.stdout, f"{len(later)} added", f"{len(there)} skipped")
        cli.says(done.stdout + done.stderr, "older data")
        batch.finish(snapshot=tmp / "new")
        assert {k: v for k, v in batch.written().items() if k in there} == there
        done = batch.hiwari("reconcile", batch.name, "--dest", f"file://{batch.dest}", "--replace-stale")
        batch.finish(snapshot=tmp / "new")
        written = batch.written()
        assert sorted(k for k in written if written[k] != there.get(k)) == sorted({last, *later})
        full = tmp / "full"
        create(full, f"appearances={now},{ROLES}")
        cli.says(batch.enqueue(snapshot=full).stdout, " 0 added")  # the same id: nothing is left to do


if __name__ == "__main__":
    tap.main()
