#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""snapshot push and pull: there whole or not at all, whatever is killed, full, damaged or in the way."""
import contextlib
import fcntl
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import tap

_snapshot = None

ODD_CSV = """race date,比,名前 と とても長い列の名前がここにあります,a/b,.x,%41,null
2024-01-01,1,あ,x,1.5,,
2024-01-02,2,"",y,2.5,2024-01-01,
2024-01-03,3,ん,,,,
"""


def snapshot():
    """Football's, with an index that is not to be carried."""
    global _snapshot
    if not _snapshot:
        tmp = pathlib.Path(_stack.enter_context(cli.scratch()))
        _snapshot = cli.football_snapshot(tmp)
        cli.run("snapshot", "index", _snapshot, "--spec", cli.FOOTBALL / "spec.json")
    return _snapshot


def odd_snapshot(tmp):
    """Names that no store takes as they are, some too long for one."""
    (tmp / "odd.csv").write_text(ODD_CSV)
    cli.run("snapshot", "create", "--csv", f"index={tmp}/odd.csv,time=race date", "--csv",
            f"テーブル={tmp}/odd.csv,time=race date", "--out", tmp / "odd")
    return tmp / "odd"


def files_of(directory, index=False):
    """Every file's content by its path."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*"))
            if p.is_file() and (index or p.relative_to(directory).parts[0] != "index")}


def push(directory, url, **options):
    return cli.run("snapshot", "push", directory, url, **options)


def pull(url, directory, **options):
    return cli.run("snapshot", "pull", url, directory, **options)


def pushed(tmp, name="remote"):
    """A store with football's snapshot, of which parts may be harmed."""
    push(snapshot(), tmp / name)
    return tmp / name


def hidden(directory):
    return [n for n in os.listdir(directory) if n.startswith(".")]


def fault(point):
    if not hiwari.has_faults():
        raise tap.Skip("a release build")
    return {**os.environ, "HIWARI_FAULT": point}


def test_what_is_pulled_is_what_was_pushed_without_its_indexes():
    with cli.scratch() as tmp:
        for source in (snapshot(), odd_snapshot(tmp)):
            remote, out = tmp / f"{source.name}-remote", tmp / f"{source.name}-out"
            said = push(source, f"file://{remote}").stdout
            shown = cli.run_json("snapshot", "show", source)
            cli.says(said, shown["id"][:16], "pushed")
            pull(f"file://{remote}", out)
            assert files_of(out) == files_of(source)
            assert (source / "index").exists() == (source == snapshot()) and not (out / "index").exists()
            cli.run("snapshot", "verify", out)
            assert not (remote / "_push.json").exists() and not hidden(tmp)
        cli.football_run(tmp / "snapshot-out", tmp / "results", "--limit", 2)


def test_a_second_push_and_a_second_pull_say_that_it_is_there():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        before = {p: p.stat().st_mtime_ns for p in remote.rglob("*")}
        cli.says(push(snapshot(), remote).stdout, "already")
        assert before == {p: p.stat().st_mtime_ns for p in remote.rglob("*")}
        assert cli.run_json("snapshot", "push", snapshot(), remote)["present"] is True
        pull(remote, tmp / "out")
        cli.says(pull(remote, tmp / "out").stdout, "already")
        assert cli.run_json("snapshot", "pull", remote, tmp / "other")["present"] is False


def test_another_snapshot_is_never_written_over():
    with cli.scratch() as tmp:
        remote, odd = pushed(tmp), odd_snapshot(tmp)
        before = files_of(remote)
        cli.says(push(odd, remote, code=78).stderr, "holds snapshot", "another URL")
        assert files_of(remote) == before
        push(odd, tmp / "odd-remote")
        pull(remote, tmp / "out")
        cli.says(pull(tmp / "odd-remote", tmp / "out", code=73).stderr, "exists already", "snapshot ")
        (tmp / "full").mkdir()
        (tmp / "full/x").write_text("x")
        cli.says(pull(remote, tmp / "full", code=73).stderr, "exists already")
        (tmp / "file").write_text("x")
        pull(remote, tmp / "file", code=73)
        assert files_of(tmp / "out") == files_of(snapshot()) and os.listdir(tmp / "full") == ["x"]


def test_a_push_killed_anywhere_goes_on_and_nobody_sees_a_half():
    with cli.scratch() as tmp:
        env = fault("kill:push-claimed")
        push(snapshot(), tmp / "remote", code=-9, env=env)
        total = len(files_of(snapshot())) - 1
        for point in ("pushing:3", "store-written:2", "store-named:1", "pushed:0", "pushing:0", "push-publish"):
            push(snapshot(), tmp / "remote", code=-9, env=fault(f"kill:{point}"))
            cli.says(pull(tmp / "remote", tmp / "out", code=78).stderr, "not whole", "push")
            cli.says(push(odd_snapshot(tmp), tmp / "remote", code=78).stderr, "begun and not finished")
            shutil.rmtree(tmp / "odd")
        there = {p: p.stat().st_ino for p in (tmp / "remote").rglob("*.npy")}
        push(snapshot(), tmp / "remote", code=-9, env=fault("kill:push-published"))
        assert {p: p.stat().st_ino for p in there} == there, "what was there was sent again"
        assert (tmp / "remote/_push.json").exists() and len(there) == total
        pull(tmp / "remote", tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot())
        cli.says(push(snapshot(), tmp / "remote").stdout, "already")
        assert not (tmp / "remote/_push.json").exists()


def test_only_what_is_missing_or_damaged_is_sent_again():
    with cli.scratch() as tmp:
        push(snapshot(), tmp / "remote", code=-9, env=fault("kill:push-publish"))
        objects = sorted((tmp / "remote").rglob("*.npy"))
        objects[0].unlink()
        objects[1].write_bytes(objects[1].read_bytes()[:-8])
        harmed = bytearray(objects[2].read_bytes())
        harmed[-1] ^= 1
        objects[2].write_bytes(harmed)
        inodes = {p: p.stat().st_ino for p in objects[3:]}
        done = cli.run_json("snapshot", "push", snapshot(), tmp / "remote")
        assert done["kept_files"] == len(objects) - 3, done
        assert {p: p.stat().st_ino for p in objects[3:]} == inodes
        pull(tmp / "remote", tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot())


def test_two_pushes_of_one_snapshot_at_the_same_time_help_each_other():
    with cli.scratch() as tmp:
        command = [cli.HIWARI, "snapshot", "push", snapshot(), tmp / "remote"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        ends = [(p.communicate(timeout=120), p.returncode) for p in both]
        assert all(code == 0 for _, code in ends), ends
        pull(tmp / "remote", tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot())


def test_a_damaged_snapshot_is_not_pushed():
    with cli.scratch() as tmp:
        shutil.copytree(snapshot(), tmp / "copy")
        path = next(p for p in sorted((tmp / "copy/appearances").glob("*.npy")) if not p.name.startswith("@"))
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        cli.says(push(tmp / "copy", tmp / "remote", code=65).stderr, path.name, "damaged")
        assert not (tmp / "remote/snapshot.json").exists()
        path.write_bytes(data[:-1])
        cli.says(push(tmp / "copy", tmp / "remote", code=78).stderr, path.name)
        cli.says(push(tmp / "nothing", tmp / "remote", code=78).stderr, "nothing")


def test_a_pull_killed_anywhere_goes_on_and_nobody_sees_a_half():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        for point in ("pulling:4", "pulled:10", "pulled:0", "pull-written"):
            pull(remote, tmp / "out", code=-9, env=fault(f"kill:{point}"))
            assert not (tmp / "out").exists() and len(hidden(tmp)) == 1
        done = cli.run_json("snapshot", "pull", remote, tmp / "out")
        assert done["kept_files"] == done["files"] and done["kept_bytes"] == done["bytes"], done
        assert files_of(tmp / "out") == files_of(snapshot()) and not hidden(tmp)
        pull(remote, tmp / "late", code=-9, env=fault("kill:pull-published"))
        assert files_of(tmp / "late") == files_of(snapshot()) and not hidden(tmp)


def test_a_half_file_is_completed_and_a_wrong_half_is_fetched_anew():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        pull(remote, tmp / "out", code=-9, env=fault("kill:pull-written"))
        half = tmp / hidden(tmp)[0]
        arrays = sorted(half.rglob("*.npy"))
        arrays[0].write_bytes(arrays[0].read_bytes()[:-200])
        arrays[1].write_bytes(b"\0" * 300)
        arrays[2].write_bytes(arrays[2].read_bytes() + b"more")
        arrays[3].write_bytes(b"\0" * arrays[3].stat().st_size)
        arrays[4].unlink()
        done = cli.run_json("snapshot", "pull", remote, tmp / "out")
        assert done["kept_files"] == done["files"] - 5, done
        assert files_of(tmp / "out") == files_of(snapshot()) and not hidden(tmp)


def test_what_an_abandoned_pull_of_another_snapshot_left_is_removed():
    with cli.scratch() as tmp:
        remote, odd = pushed(tmp), odd_snapshot(tmp)
        push(odd, tmp / "odd-remote")
        pull(tmp / "odd-remote", tmp / "out", code=-9, env=fault("kill:pull-written"))
        assert len(hidden(tmp)) == 1
        pull(remote, tmp / "out")
        assert not hidden(tmp)


def test_damaged_objects_are_named_and_nothing_appears():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        path = sorted((remote / "appearances").glob("*.npy"))[5]
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        for content, words in ((flipped, "checksum"), (whole[:-8], "shorter"), (b"", "shorter"), (None, "not there")):
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)
            cli.says(pull(remote, tmp / "out", code=65).stderr, path.name, words)
            assert not (tmp / "out").exists()
        path.write_bytes(whole)
        pull(remote, tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot())


def harm(path):
    """One bit of it, and neither its size nor its time."""
    data, before = bytearray(path.read_bytes()), path.stat()
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_push_to_where_the_whole_is_said_to_be_mends_what_is_damaged_or_missing():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        objects = sorted(remote.rglob("*.npy"))
        harm(objects[0])
        objects[1].unlink()
        objects[2].write_bytes(b"")
        there = {p: p.stat().st_ino for p in objects[3:]}
        cli.says(pull(remote, tmp / "out", code=65).stderr, "damaged", "Push the same snapshot there again")
        done = cli.run_json("snapshot", "push", snapshot(), remote)
        assert done["present"] is False and done["kept_files"] == len(there), done
        assert {p: p.stat().st_ino for p in there} == there, "what was whole was sent again"
        pull(remote, tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot())
        assert cli.run_json("snapshot", "push", snapshot(), remote)["present"] is True
        (remote / "snapshot.json").write_text("{}")
        cli.says(push(snapshot(), remote, code=78).stderr, "Delete that snapshot.json")
        (remote / "snapshot.json").unlink()
        push(snapshot(), remote)
        pull(remote, tmp / "again")
        assert files_of(tmp / "again") == files_of(snapshot())


def test_a_pull_to_where_a_damaged_copy_is_says_so():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        for how in ("bit", "size", "gone"):
            out = tmp / how
            pull(remote, out)
            path = out / "appearances/goals_for.npy"
            if how == "bit":
                harm(path)
            elif how == "size":
                path.write_bytes(path.read_bytes()[:-8])
            else:
                path.unlink()
            before = files_of(out)
            cli.says(pull(remote, out, code=73).stderr, "damaged", path.name, "Remove that directory and pull again")
            assert files_of(out) == before
            cli.run("snapshot", "verify", out, code=78)
            shutil.rmtree(out)
            cli.says(pull(remote, out).stdout, "pulled")


def resealed(document):
    """snapshot.json with the checksum that fits it."""
    document["checksum"] = "00000000"
    text = json.dumps(document, indent=1)
    return text.replace("00000000", f"{hiwari.crc32c(text.encode()):08x}")


def test_a_snapshot_json_that_is_none_is_refused():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        json_path = remote / "snapshot.json"
        whole = json_path.read_text()
        for text in ("", "{}", "<html>403</html>", whole[:-20], whole.replace('"rows": 1', '"rows": 2', 1)):
            json_path.write_text(text)
            pull(remote, tmp / "out", code=78)
        for path in ("../../evil.npy", "/tmp/evil.npy", "appearances/../../evil.npy", "appearances/.npy", "index/x.npy",
                     "appearances/x.so", "appearances//x.npy", "other/x.npy", "appearances/x\u0000.npy", ""):
            document = json.loads(whole)
            document["files"][3]["path"] = path
            json_path.write_text(resealed(document))
            assert pull(remote, tmp / "out", code=78).stderr
        assert not (tmp / "out").exists() and not list(tmp.rglob("evil*"))
        json_path.unlink()
        cli.says(pull(remote, tmp / "out", code=78).stderr, "no snapshot")
        cli.says(pull(tmp / "nowhere", tmp / "out", code=78).stderr, "nowhere")


def test_a_pull_beside_another_waits_its_turn():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        pull(remote, tmp / "out", code=-9, env=fault("kill:pull-written"))
        folder = os.open(tmp / hidden(tmp)[0], os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        cli.says(pull(remote, tmp / "out", code=75).stderr, "another pull")
        os.close(folder)
        pull(remote, tmp / "out")


def test_a_file_size_limit_is_a_clear_error():
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    with cli.scratch() as tmp:
        cli.says(push(snapshot(), tmp / "remote", code=73, preexec_fn=small).stderr, "cannot write")
        assert not (tmp / "remote/snapshot.json").exists()
        push(snapshot(), tmp / "remote")
        cli.says(pull(tmp / "remote", tmp / "out", code=73, preexec_fn=small).stderr, "cannot write")
        assert not (tmp / "out").exists()
        pull(tmp / "remote", tmp / "out")


@contextlib.contextmanager
def small_disk(tmp, size):
    disk = tmp / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], stderr=subprocess.PIPE,
                             text=True)
    if mounted.returncode:
        raise tap.Skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_a_clear_error_and_later_it_goes_on():
    with cli.scratch() as tmp:
        remote = pushed(tmp)
        bytes_needed = sum(len(content) for content in files_of(snapshot()).values())
        with small_disk(tmp, bytes_needed * 2) as disk:
            ballast = disk / "ballast"
            ballast.write_bytes(b"x" * int(bytes_needed * 1.5))
            cli.says(pull(remote, disk / "out", code=73).stderr, "room")
            assert not (disk / "out").exists()
            cli.says(push(snapshot(), disk / "remote", code=73).stderr, "make room")
            cli.says(pull(disk / "remote", tmp / "no", code=78).stderr, "not whole")
            ballast.unlink()
            push(snapshot(), disk / "remote")
            pull(disk / "remote", tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot())


if __name__ == "__main__":
    with contextlib.ExitStack() as _stack:
        tap.main()
