#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari collect: one file of all results, in every form, or a refusal that says why; never half a file."""
import contextlib
import csv
import gzip
import io
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

SPEC = json.loads((cli.FOOTBALL / "spec.json").read_text())
DAYS = ("--from", "2015-01-01", "--to", "2015-06-30")

_shared = None


def shared():
    """A snapshot and results that several tests read and none changes."""
    global _shared
    if not _shared:
        _shared = pathlib.Path(_stack.enter_context(cli.scratch()))
        cli.football_snapshot(_shared)
        cli.football_run(_shared / "snapshot", _shared / "csv", *DAYS)
        cli.football_run(_shared / "snapshot", _shared / "npz", *DAYS, "--format", "npz")
    return _shared


def spec_of(directory, name, features, keep=None, labels=None):
    """Football's spec with these of its features only."""
    spec = json.loads(json.dumps(SPEC))
    spec["features"] = {n: spec["features"][n] for n in features}
    if keep is not None:
        spec["target"]["keep"] = keep
    if labels is not None:
        spec["labels"] = labels
    path = directory / f"{name}.json"
    path.write_text(json.dumps(spec))
    return path


def run_spec(tmp, spec, dest, *more):
    cli.run("run", "--snapshot", shared() / "snapshot", "--spec", spec, "--dest", dest, *(more or DAYS))
    return dest


def text_of(dest):
    """What collecting into CSV must give: the CSVs below each other, one header."""
    out = ""
    for key in cli.results(dest):
        with zipfile.ZipFile(dest / f"{key}.zip") as archive:
            text = archive.read(f"{key}.csv").decode()
        out += text if not out else text.split("\n", 1)[1]
    return out


def collect(*dests, out, **options):
    return cli.run("collect", *[w for d in dests for w in ("--dest", d)], "--out", out, *options.pop("more", ()),
                   **options)


def no_file(out):
    """Neither the file nor a hidden part of it."""
    assert not out.exists() and not [n for n in os.listdir(out.parent) if n.startswith(".tmp")], os.listdir(out.parent)


def test_csv_is_the_results_below_each_other():
    with cli.scratch() as tmp:
        said = collect(shared() / "csv", out=tmp / "all.csv").stdout
        expected = text_of(shared() / "csv")
        assert (tmp / "all.csv").read_text() == expected
        cli.says(said, f"{expected.count(chr(10)) - 1:,} rows", f"{len(cli.results(shared() / 'csv'))} keys")


def test_gzip_holds_the_same_csv_in_one_stream():
    with cli.scratch() as tmp:
        collect(shared() / "csv", out=tmp / "all.csv.gz")
        assert gzip.decompress((tmp / "all.csv.gz").read_bytes()).decode() == text_of(shared() / "csv")
        collect(shared() / "csv", out=tmp / "again.csv.gz")
        assert (tmp / "again.csv.gz").read_bytes() == (tmp / "all.csv.gz").read_bytes()


def stacked(dest):
    """Each column of the npz results below each other, by numpy."""
    import numpy
    parts = [numpy.load(dest / f"{key}.zip") for key in cli.results(dest)]
    return {name: numpy.concatenate([p[name] for p in parts]) for name in parts[0].files}


def same_arrays(path, expected, types=True):
    import numpy
    with numpy.load(path) as got:
        assert got.files == list(expected)
        for name, want in expected.items():
            if types:
                assert got[name].dtype == want.dtype, (name, got[name].dtype, want.dtype)
            assert numpy.array_equal(got[name], want, equal_nan=want.dtype.kind in "fM"), name


def test_npz_is_what_numpy_concatenates_whichever_format_the_results_have():
    with cli.scratch() as tmp:
        expected = stacked(shared() / "npz")
        for form in ("npz", "csv"):
            collect(shared() / form, out=tmp / f"{form}.npz")
            same_arrays(tmp / f"{form}.npz", expected)


def test_npz_from_csv_without_types_finds_them_in_the_values():
    with cli.scratch() as tmp:
        dest = tmp / "results"
        shutil.copytree(shared() / "csv", dest)
        (dest / "_columns.json").unlink()
        collect(dest, out=tmp / "all.npz")
        same_arrays(tmp / "all.npz", stacked(shared() / "npz"), types=False)


def test_csv_from_npz_has_the_same_values():
    with cli.scratch() as tmp:
        collect(shared() / "npz", out=tmp / "all.csv")
        got = list(csv.reader(io.StringIO((tmp / "all.csv").read_text())))
        want = list(csv.reader(io.StringIO(text_of(shared() / "csv"))))
        assert len(got) == len(want) and got[0] == want[0]
        for g, w in zip(got[1:], want[1:]):
            for name, x, y in zip(got[0], g, w):
                assert x == y or float(x) == float(y), (name, x, y)


def test_dates_choose_and_json_counts():
    with cli.scratch() as tmp:
        keys = [k for k in cli.results(shared() / "csv") if "2015-02-01" <= k <= "2015-02-28"]
        said = cli.run_json("collect", "--dest", shared() / "csv", "--out", tmp / "feb.csv", "--from", "2015-02-01",
                            "--to", "2015-02-28")
        rows = (tmp / "feb.csv").read_text().count("\n") - 1
        assert (said["keys"], said["rows"], said["missing"], said["stale"]) == (len(keys), rows, 0, 0), said
        assert said["columns"] == 25 and said["bytes"] == (tmp / "feb.csv").stat().st_size
        cli.says(collect(shared() / "csv", out=tmp / "x.csv", more=("--from", "2030-01-01"), code=65).stderr, "no key")
        collect(shared() / "csv", out=tmp / "x.csv", more=("--from", "2015-03-01", "--to", "2015-02-01"), code=64)
        no_file(tmp / "x.csv")


def test_columns_of_several_destinations_are_joined():
    with cli.scratch() as tmp:
        a = run_spec(tmp, spec_of(tmp, "a", ["played", "form"]), tmp / "a")
        b = run_spec(tmp, spec_of(tmp, "b", ["scored", "form", "days_off"]), tmp / "b")
        both = spec_of(tmp, "both", ["played", "form", "scored", "days_off"])
        expected = list(csv.DictReader(io.StringIO(text_of(run_spec(tmp, both, tmp / "both")))))
        collect(a, b, out=tmp / "joined.csv")
        text = (tmp / "joined.csv").read_text()
        assert list(csv.DictReader(io.StringIO(text))) == expected
        header = text.split("\n", 1)[0].split(",")
        assert header[-5:] == ["played", "form", "y_won", "scored", "days_off"], header
        collect(a, b, out=tmp / "joined.npz")
        collect(run_spec(tmp, both, tmp / "npz", *DAYS, "--format", "npz"), out=tmp / "want.npz")
        import numpy
        with numpy.load(tmp / "joined.npz") as got, numpy.load(tmp / "want.npz") as want:
            assert sorted(got.files) == sorted(want.files)
            for name in want.files:
                assert got[name].dtype == want[name].dtype and numpy.array_equal(
                    got[name], want[name], equal_nan=want[name].dtype.kind == "f"), name


def test_rows_that_are_not_the_same_are_not_joined():
    with cli.scratch() as tmp:
        a = run_spec(tmp, spec_of(tmp, "a", ["played"]), tmp / "a")
        out = tmp / "joined.csv"
        few = run_spec(tmp, spec_of(tmp, "few", ["form"]), tmp / "few", "--from", "2015-01-01", "--to", "2015-03-31")
        cli.says(collect(a, few, out=out, code=65).stderr, "no result", "not in the manifest", "/few")
        keep = run_spec(tmp, spec_of(tmp, "keep", ["form"], keep=["match_id"]), tmp / "keep")
        cli.says(collect(a, keep, out=out, code=65).stderr, "cannot be joined", "keeps")
        other = json.loads((tmp / "a.json").read_text())
        other["target"]["where"] = "is_home == 1"
        (tmp / "home.json").write_text(json.dumps(other))
        home = run_spec(tmp, tmp / "home.json", tmp / "home")
        cli.says(collect(a, home, out=out, code=65).stderr, "cannot be joined", "rows")
        twice = json.loads((tmp / "a.json").read_text())
        twice["features"] = {"played": {"calc": "count()", "by": "team", "days": 30}}
        (tmp / "twice.json").write_text(json.dumps(twice))
        differs = run_spec(tmp, tmp / "twice.json", tmp / "twice")
        cli.says(collect(a, differs, out=out, code=65).stderr, "cannot be joined", "'played'", "key 2015-")
        arrays = run_spec(tmp, spec_of(tmp, "arrays", ["form"]), tmp / "arrays", *DAYS, "--format", "npz")
        cli.says(collect(a, arrays, out=out, code=65).stderr, "csv", "npz")
        no_file(out)


def test_rows_without_kept_columns_are_joined_when_snapshot_and_target_are_the_same():
    with cli.scratch() as tmp:
        a = run_spec(tmp, spec_of(tmp, "a", ["played"], keep=[], labels={}), tmp / "a")
        b = run_spec(tmp, spec_of(tmp, "b", ["form"], keep=[], labels={}), tmp / "b")
        collect(a, b, out=tmp / "joined.csv")
        assert (tmp / "joined.csv").read_text().startswith("match_date,played,form\n")


@contextlib.contextmanager
def settled():
    """Results of which some may be harmed."""
    with cli.scratch() as tmp:
        shutil.copytree(shared() / "csv", tmp / "results")
        yield tmp, tmp / "results"


def test_missing_keys_are_named_or_left_out():
    with settled() as (tmp, dest):
        keys = cli.results(dest)
        for key in keys[3:10]:
            (dest / f"{key}.zip").unlink()
        said = collect(dest, out=tmp / "all.csv", code=65).stderr
        cli.says(said, f"7 of {len(keys)} keys", *keys[3:8], "deleted", "--allow-missing")
        assert keys[8] not in said
        no_file(tmp / "all.csv")
        done = cli.run_json("collect", "--dest", dest, "--out", tmp / "all.csv", "--allow-missing")
        assert done["missing"] == 7 and done["missing_keys"] == keys[3:10] and done["keys"] == len(keys) - 7
        assert (tmp / "all.csv").read_text() == text_of(dest)


def test_failed_keys_are_missing_keys():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 5, "--max-attempts", 1)
        # One is made to fail by an object of another kind in its place.
        batch.dest.joinpath("2013-07-20.zip").write_bytes(b"not a result")
        batch.worker().wait(0)
        out = batch.tmp / "all.csv"
        said = collect(batch.dest, out=out, code=65).stderr
        cli.says(said, "1 of 5 keys", "2013-07-20", "another result is there", "hiwari retry fb --all")
        cli.says(collect(batch.dest, out=out, more=("--allow-missing",)).stderr, "left out", "2013-07-20")
        assert out.exists()


def change_member(path, change):
    """Write the zip anew with other content, and the comment that it had."""
    with zipfile.ZipFile(path) as old:
        name, text, comment = old.namelist()[0], old.read(old.namelist()[0]), old.comment
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr(name, change(text))
        new.comment = comment


def test_a_result_that_is_not_what_the_manifest_says_is_refused():
    def cut(path):
        path.write_bytes(path.read_bytes()[:-100])

    def flip(path):
        data = bytearray(path.read_bytes())
        data[60] ^= 255
        path.write_bytes(data)

    def swap(path):
        shutil.copy(sorted(path.parent.glob("*.zip"))[0], path)

    harms = {
        "cut": cut,
        "flipped": flip,
        "empty": lambda p: p.write_bytes(b""),
        "html": lambda p: p.write_bytes(b"<html>".ljust(p.stat().st_size)),
        "another key": swap,
        "another value": lambda p: change_member(p, lambda t: t.replace(b"1", b"2")),
        "another row": lambda p: change_member(p, lambda t: t + t.split(b"\n")[-2] + b"\n"),
    }
    with settled() as (tmp, dest):
        key = cli.results(dest)[7]
        whole = (dest / f"{key}.zip").read_bytes()
        for what, harm in harms.items():
            harm(dest / f"{key}.zip")
            for more in ((), ("--allow-missing",)):
                said = collect(dest, out=tmp / "all.csv", more=more, code=65).stderr
                cli.says(said, key, "not what the manifest says")
            no_file(tmp / "all.csv")
            (dest / f"{key}.zip").write_bytes(whole)
        collect(dest, out=tmp / "all.csv")


def reseal(dest):
    success = json.loads((dest / "_SUCCESS").read_text())
    success["manifest_crc32c"] = f"{hiwari.crc32c((dest / '_manifest.jsonl').read_bytes()):08x}"
    (dest / "_SUCCESS").write_text(json.dumps(success))


def test_a_content_changed_together_with_its_size_is_found_by_its_checksum():
    with settled() as (tmp, dest):
        key = cli.results(dest)[0]
        path = dest / f"{key}.zip"
        change_member(path, lambda t: t.replace(b"1", b"2"))
        lines = (dest / "_manifest.jsonl").read_text().splitlines()
        line = json.loads(lines[1])
        assert line["key"] == key
        line["bytes"] = path.stat().st_size
        (dest / "_manifest.jsonl").write_text("\n".join([lines[0], json.dumps(line), *lines[2:]]) + "\n")
        reseal(dest)
        cli.says(collect(dest, out=tmp / "all.csv", code=65).stderr, key, "checksum of its content")


def test_a_manifest_that_was_changed_is_refused():
    with settled() as (tmp, dest):
        manifest = dest / "_manifest.jsonl"
        whole = manifest.read_text()
        lines = whole.splitlines(keepends=True)
        manifest.write_text("".join(lines[:-1]))
        cli.says(collect(dest, out=tmp / "all.csv", code=65).stderr, "_manifest.jsonl", "checksum", "_SUCCESS")
        for text, words in (("".join(lines[:-1]), "first line says"), (whole[:-5], "was cut"), ("", "empty"),
                            ("<html>\n" + whole, "line 1"), (lines[0] + lines[2] + lines[1], "out of order"),
                            (whole.replace('"state":"done"', '"state":"gone"', 1), "gone"),
                            (whole.replace('"key":"2', '"key":"../2', 1), "no key"),
                            (whole.replace('"rows":', '"rows":-', 1), "rows")):
            manifest.write_text(text)
            reseal(dest)
            said = collect(dest, out=tmp / "all.csv", code=65).stderr
            cli.says(said, "_manifest.jsonl", words)
        manifest.write_text(whole.replace('"hiwari":1', '"hiwari":2', 1))
        reseal(dest)
        cli.says(collect(dest, out=tmp / "all.csv", code=78).stderr, "newer hiwari")
        no_file(tmp / "all.csv")


def test_what_has_not_settled_is_not_collected_unasked():
    with hiwari.football() as batch:
        batch.enqueue("--limit", 8)
        out = batch.tmp / "all.csv"
        cli.says(collect(batch.dest, out=out, code=75).stderr, "not settled", "hiwari status fb")
        batch.finish()
        collect(batch.dest, out=out)
        before = out.read_bytes()
        batch.enqueue("--limit", 12)
        cli.says(collect(batch.dest, out=out, code=75).stderr, "not settled", "earlier run")
        assert out.read_bytes() == before
        done = cli.run_json("collect", "--dest", batch.dest, "--out", out, "--allow-missing")
        assert done["keys"] == 8 and done["missing"] >= 4, done


def test_results_of_older_data_are_counted():
    with hiwari.football() as batch:
        batch.enqueue("--from", "2017-05-01")
        batch.finish()
        rows = [row for row in csv.reader(io.StringIO((cli.FOOTBALL / "appearances.csv").read_text()))]
        goals = rows[0].index("goals_for")
        for row in rows[1:]:
            if row[0] == "2016-01-16" or "2016-01-16" in row:
                row[goals] = "9"
        source = batch.tmp / "corrected.csv"
        with open(source, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        out = batch.tmp / "corrected"
        cli.run("snapshot", "create", "--csv", f"appearances={source}", "--spec", batch.spec, "--out", out)
        batch.enqueue("--from", "2017-05-01", snapshot=out)
        batch.finish(snapshot=out)
        said = cli.run("collect", "--dest", batch.dest, "--out", batch.tmp / "all.csv")
        cli.says(said.stderr, "older data", "--replace-stale")


def test_wrong_places_are_named():
    with cli.scratch() as tmp:
        cli.says(collect(tmp / "nowhere", out=tmp / "all.csv", code=78).stderr, "nowhere")
        (tmp / "empty").mkdir()
        cli.says(collect(tmp / "empty", out=tmp / "all.csv", code=78).stderr, "nothing to collect")
        for out in ("all.txt", "all", "all.parquet"):
            cli.says(collect(shared() / "csv", out=tmp / out, code=64).stderr, out, ".csv.gz")
        cli.says(collect(shared() / "csv", out=tmp / "no/all.csv", code=73).stderr, "no/all.csv")
        (tmp / "all.csv").mkdir()
        cli.says(collect(shared() / "csv", out=tmp / "all.csv", code=73).stderr, "folder")
        cli.run("collect", "--out", tmp / "x.csv", code=64)
        cli.run("collect", "--dest", shared() / "csv", code=64)


def test_a_full_disk_leaves_what_was_there():
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    with cli.scratch() as tmp:
        for form in ("csv", "csv.gz", "npz"):
            out = tmp / f"all.{form}"
            out.write_text("before")
            env = {**os.environ, "TMPDIR": str(tmp)}
            said = collect(shared() / "csv", out=out, code=None, preexec_fn=small, env=env)
            if form == "csv.gz" and said.returncode == 0:
                continue  # it fits
            assert said.returncode == 73, (form, said)
            cli.says(said.stderr, "cannot write")
            assert out.read_text() == "before" and not [n for n in os.listdir(tmp) if n.startswith(".tmp")]


def test_killed_before_the_end_it_leaves_what_was_there():
    if not hiwari.has_faults():
        raise tap.Skip("a release build")
    with cli.scratch() as tmp:
        out = tmp / "all.csv"
        out.write_text("before")
        env = {**os.environ, "HIWARI_FAULT": "kill:collecting:20"}
        collect(shared() / "csv", out=out, code=-9, env=env)
        assert out.read_text() == "before" and os.listdir(tmp) == ["all.csv"], os.listdir(tmp)
        env["HIWARI_FAULT"] = "kill:new-file-written"
        collect(shared() / "csv", out=out, code=-9, env=env)
        assert out.read_text() == "before"
        collect(shared() / "csv", out=out)
        assert out.read_text() == text_of(shared() / "csv")


def test_memory_does_not_grow_with_the_results():
    """The same results under many names: twice the keys take no more memory."""
    with cli.scratch() as tmp:
        peaks = []
        for n in (40, 160):
            dest = many_keys(tmp, n)
            done = subprocess.run(["/usr/bin/env", "python3", "-c", PEAK, cli.HIWARI, "collect", "--dest", dest,
                                   "--out", tmp / "all.csv"], stdout=subprocess.PIPE, text=True, check=True,
                                  env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
            peaks.append(int(done.stdout.split()[-1]))
        assert peaks[1] < peaks[0] * 1.5 + 20000, peaks


PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def many_keys(tmp, n):
    """A destination of n large results: made by hand, so it has no _batch.json."""
    dest = tmp / f"many-{n}"
    dest.mkdir()
    text = b"day,x\n" + b"".join(b"2020-01-01,%d.25\n" % i for i in range(20000))
    lines = []
    spec = "a" * 64
    for i in range(n):
        key = f"{2000 + i // 12}-{i % 12 + 1:02}-01"
        path = dest / f"{key}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(f"{key}.csv", text)
            crc = f"{archive.infolist()[0].CRC:08x}"
            archive.comment = json.dumps({
                "hiwari": 1, "key": key, "spec": spec, "data": spec, "format": "csv", "result_version": 1,
                "rows": 20000, "members": [{"name": f"{key}.csv", "bytes": len(text), "crc32": crc}]}).encode()
        lines.append({"key": key, "state": "done", "rows": 20000, "bytes": path.stat().st_size, "generation": 1,
                      "crc32": [crc]})
    head = {"hiwari": 1, "batch": "many", "incarnation": "b" * 32, "epoch": 1, "spec": spec, "snapshot": spec,
            "format": "csv", "result_version": 1, "keys": n, "done": n, "failed": 0}
    (dest / "_manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [head, *lines]))
    (dest / "_SUCCESS").write_text(json.dumps({"hiwari": 1, "batch": "many", "incarnation": "b" * 32, "epoch": 1,
                                               "keys": n, "manifest_crc32c": ""}))
    reseal(dest)
    return dest


if __name__ == "__main__":
    with contextlib.ExitStack() as _stack:
        tap.main()
