#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""CSV in bulk: several files, gzip, standard input, and tables larger than the memory they may take."""
import gzip
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap

CSV = cli.FOOTBALL / "appearances.csv"
ROLES = "time=match_date,group=match_id"


def create(out, *tables, code=0, more=(), **options):
    args = [arg for table in tables for arg in ("--csv", table)]
    done = cli.run("snapshot", "create", *args, "--out", out, *more, code=code, **options)
    if code == 0:
        cli.run("snapshot", "verify", out)
    return done


def identity(snapshot):
    return cli.run_json("snapshot", "show", snapshot)["id"]


def pieces(tmp):
    """The football data in three files, the columns of the second in another order."""
    lines = CSV.read_text(encoding="utf-8").splitlines()
    header, rows = lines[0], lines[1:]
    third = len(rows) // 3
    paths = []
    for i, part in enumerate((rows[:third], rows[third:2 * third], rows[2 * third:])):
        names = header
        if i == 1:
            part = [",".join(reversed(row.split(","))) for row in part]
            names = ",".join(reversed(header.split(",")))
        paths.append(tmp / f"part{i}.csv")
        paths[-1].write_text("\n".join([names, *part]) + "\n", encoding="utf-8")
    return paths


def whole(tmp):
    create(tmp / "whole", f"a={CSV},{ROLES}")
    return identity(tmp / "whole")


def test_several_files_gzip_and_standard_input_are_one_table():
    with cli.scratch() as tmp:
        expected = whole(tmp)
        a, b, c = pieces(tmp)
        create(tmp / "named", f"a={a},{ROLES}", f"a={b}", f"a={c},time=match_date")
        create(tmp / "pattern", f"a={tmp}/part*.csv,{ROLES}")
        packed = tmp / "b.data"  # gzip is told by its bytes, not by its name; two members, as cat makes them
        text = b.read_bytes()
        packed.write_bytes(gzip.compress(text[:5000]) + gzip.compress(text[5000:]))
        create(tmp / "packed", f"a={a},{ROLES}", f"a={packed}", f"a={c}")
        with open(CSV, "rb") as file:
            create(tmp / "stdin", f"a=-,{ROLES}", stdin=file)
        with subprocess.Popen(["gzip", "-c", CSV], stdout=subprocess.PIPE) as pipe:
            create(tmp / "pipe", f"a=-,{ROLES}", stdin=pipe.stdout)
        with subprocess.Popen(["gzip", "-c", CSV], stdout=subprocess.PIPE) as pipe:  # read twice, from its copy
            create(tmp / "small", f"a=-,{ROLES}", more=["--memory", "128K"], stdin=pipe.stdout)
        for name in ("named", "pattern", "packed", "stdin", "pipe", "small"):
            assert identity(tmp / name) == expected, name
        cli.says((tmp / "named" / "snapshot.json").read_text(), f"CSV files {a} to {c} (3)")


def test_files_that_do_not_fit_together_are_named():
    with cli.scratch() as tmp:
        (tmp / "a.csv").write_text("day,x,y\n2024-01-01,1,2\n")
        (tmp / "b.csv").write_text("day,x\n2024-01-02,1\n")
        (tmp / "c.csv").write_text("y,day,x,z\n1,2024-01-02,1,2\n")
        (tmp / "d.csv").write_text("y,x,day\n1,2,2024-01-05\n5,six,2024-01-06\n")
        (tmp / "cut.gz").write_bytes(gzip.compress(b"day,x,y\n" + b"2024-01-01,1,2\n" * 1000)[:-12])
        (tmp / "bad.gz").write_bytes(gzip.compress(b"day,x,y\n2024-01-01,1,2\n")[:-8] + b"\0" * 8)

        def fails(code, words, *tables, **options):
            cli.says(create(tmp / "out", *tables, code=code, **options).stderr, *words)
            assert not (tmp / "out").exists()
            assert not list(tmp.glob(".*"))
        first = f"t={tmp}/a.csv,time=day"
        fails(65, ["b.csv", "no column 'y'", "a.csv"], first, f"t={tmp}/b.csv")
        fails(65, ["c.csv", "column 'z'", "a.csv"], first, f"t={tmp}/c.csv")
        fails(65, ["d.csv: line 3", "column x", "'six'"], first + ",x:integer", f"t={tmp}/d.csv")
        fails(65, ["cut.gz", "cut short"], f"t={tmp}/cut.gz,time=day")
        fails(65, ["bad.gz", "damaged"], f"t={tmp}/bad.gz,time=day")
        fails(65, ["no file", "q*.csv"], f"t={tmp}/q*.csv,time=day")
        fails(64, ["time", "day", "x"], first, f"t={tmp}/b.csv,time=x")
        fails(64, ["standard input"], "t=-,time=day", "u=-,time=day")
        fails(64, ["--memory", "512M"], first, more=["--memory", "12"])
        fails(64, ["--since"], first, more=["--since", "3"])


def test_a_header_without_rows_needs_declared_types():
    with cli.scratch() as tmp:
        (tmp / "a.csv").write_text("day,x\n")
        done = create(tmp / "out", f"t={tmp}/a.csv,time=day,day:date", code=65)
        cli.says(done.stderr, "a.csv", "no rows", "COL:TYPE", "of x")
        create(tmp / "out", f"t={tmp}/a.csv,time=day,day:date,x:integer")
        columns = cli.run_json("snapshot", "show", tmp / "out")["tables"][0]["columns"]
        assert [c["type"] for c in columns] == ["date", "integer"]


def random_csv(path, rows, seed):
    """Columns of every type, of which some show late in the file what they are."""
    rng = random.Random(seed)
    late = rows - 5
    with open(path, "w", encoding="utf-8") as file:
        file.write("at,race,n,price,ratio,when,name,note,late_float,late_text,none\n")
        for i in range(rows):
            day = 1 + rng.randrange(28)
            file.write(",".join([
                f"2024-{1 + rng.randrange(12):02}-{day:02} {rng.randrange(24):02}:00",
                f"r{rng.randrange(9)}" if rng.randrange(30) else "",
                str(rng.randrange(-10**9, 10**9)),
                f"{rng.randrange(10**6) / 100:.2f}",
                repr(rng.random()) if rng.randrange(10) else "nan",
                f"2020-02-{day:02}" if rng.randrange(5) else "",
                f"Pferd Ä{rng.randrange(200)}",
                f'"{rng.getrandbits(80):x}\n, ""{i}"""' if rng.randrange(4) else '""',
                str(i) if i < late else "1e300",
                str(i) if i < late else "last",
                "",
            ]) + "\n")


def test_a_table_larger_than_memory_has_the_same_files():
    with cli.scratch() as tmp:
        random_csv(tmp / "r.csv", 6000, 4)
        create(tmp / "a", f"t={tmp}/r.csv,time=at,group=race")
        create(tmp / "b", f"t={tmp}/r.csv,time=at,group=race", more=["--memory", "200K"])
        types = [c["type"] for c in cli.run_json("snapshot", "show", tmp / "b")["tables"][0]["columns"]]
        assert types == ["timestamp", "string", "integer", "decimal(2)", "float", "date", "string", "string", "float",
                         "string", "float"], types
        names = sorted(p.name for p in (tmp / "a" / "t").iterdir())
        assert names == sorted(p.name for p in (tmp / "b" / "t").iterdir())
        for name in names:
            assert (tmp / "a" / "t" / name).read_bytes() == (tmp / "b" / "t" / name).read_bytes(), name
        declared = ("at:timestamp,race:string,n:integer,price:decimal(2),ratio:float,when:date,name:string,note:string,"
                    "late_float:float,late_text:string,none:float")
        with open(tmp / "r.csv", "rb") as file:  # all types known: one reading
            create(tmp / "c", f"t=-,time=at,group=race,{declared}", more=["--memory", "200K"], stdin=file)
        assert identity(tmp / "a") == identity(tmp / "c")


def test_what_is_wrong_in_a_large_table_is_placed_as_in_a_small_one():
    with cli.scratch() as tmp:
        path = tmp / "k.csv"
        rows = [f"{i * 7919 % 100003},{'x' * 50}\n" for i in range(20000)]
        small = ["--memory", "200K"]

        def words(text, table, *words):
            path.write_text(text)
            for more in ([], small):
                cli.says(create(tmp / "out", table, code=65, more=more).stderr, *words)
                assert [p.name for p in tmp.iterdir()] == ["k.csv"]
        words("id,x\n\n" + "".join(rows) + rows[3], f"t={path},key=id", "k.csv: line 6", "k.csv: line 20003", "unique")
        words("id,x\n" + "".join(rows) + ",7\n", f"t={path},key=id", "k.csv: line 20002", "id is empty")
        words("id,x\n" + "".join(rows) + "z,7\n", f"t={path},key=id,id:integer", "k.csv: line 20002", "'z'",
              "whole number")
        days = [f"2024-01-{1 + i % 28:02},{i}\n" for i in range(30000)]
        words("day,x\n" + "".join(days) + "2024-01-05 10:00,7\n", f"t={path},time=day", "k.csv: line 30002",
              "YYYY-MM-DD in every row")


def is_sanitized():
    return b"libasan" in cli.HIWARI.read_bytes()


def test_memory_stays_within_its_bound():
    with cli.scratch() as tmp:
        line = "2024-{:02}-{:02},{},{},{},horse {},{}\n"
        rng = random.Random(1)
        with open(tmp / "big.csv", "w", encoding="utf-8") as file:
            file.write("day,race,n,m,name,text\n")
            for i in range(25):
                file.write("".join(line.format(1 + rng.randrange(12), 1 + rng.randrange(28), rng.randrange(10**4),
                                               rng.randrange(10**9), rng.random(), rng.randrange(10**5),
                                               rng.getrandbits(64)) for _ in range(40000)))
        assert (tmp / "big.csv").stat().st_size > 55e6
        env = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1:detect_leaks=0", "MALLOC_ARENA_MAX": "2"}
        command = [cli.HIWARI, "snapshot", "create", "--csv", f"t={tmp}/big.csv,time=day,group=race", "--out",
                   tmp / "out", "--memory", "8M"]
        most = 0
        with subprocess.Popen([str(c) for c in command], env=env, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                try:
                    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                except OSError:
                    continue
                found = re.search(r"RssAnon:\s+(\d+) kB", text)
                most = max(most, int(found.group(1)) if found else 0)
                try:
                    process.wait(0.01)
                except subprocess.TimeoutExpired:
                    pass
        assert process.returncode == 0
        print(f"# at most {most / 1024:.0f} MB of its own")
        assert 0 < most < (160 if is_sanitized() else 40) * 1024, most
        cli.run("snapshot", "verify", tmp / "out")


def test_a_full_disk_leaves_nothing_behind():
    with cli.scratch() as tmp:
        random_csv(tmp / "r.csv", 6000, 4)
        (tmp / "to").mkdir()
        for limit in (20_000, 100_000, 500_000):
            done = create(tmp / "to" / "out", f"t={tmp}/r.csv,time=at", code=73, more=["--memory", "200K"],
                          preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                                              resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))))
            cli.says(done.stderr, "cannot write", str(tmp / "to"))
            assert not list((tmp / "to").iterdir())


def test_a_run_killed_while_it_spools_is_cleaned_up_by_the_next():
    with cli.scratch() as tmp:
        random_csv(tmp / "r.csv", 6000, 4)
        (tmp / "to").mkdir()
        more = ["--memory", "200K"]
        env = {**os.environ, "HIWARI_FAULT": "kill:spooling:20"}
        done = cli.run("snapshot", "create", "--csv", f"t={tmp}/r.csv,time=at", "--out", tmp / "to" / "out", *more,
                       code=None, env=env)
        if done.returncode == 0:
            raise tap.Skip("a release build has no fault points")
        assert done.returncode == -signal.SIGKILL
        left = [p.name for p in (tmp / "to").iterdir()]
        assert len(left) == 1 and left[0].startswith(".out.tmp-"), left
        assert not list((tmp / "to" / left[0]).iterdir())  # what was spooled is gone with the process
        create(tmp / "to" / "out", f"t={tmp}/r.csv,time=at", more=more)
        assert [p.name for p in (tmp / "to").iterdir()] == ["out"]


if __name__ == "__main__":
    tap.main()
