#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""push, pull and collect with a bucket: the same promises, over a network that misbehaves."""
import contextlib
import os
import pathlib
import pty
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import gcs_server
import hiwari
import tap

REMOTE = "gs://bucket-1/snapshots/one"
RESULTS = "gs://bucket-1/results"

_snapshot = None


def snapshot():
    global _snapshot
    if not _snapshot:
        _snapshot = cli.football_snapshot(_stack.enter_context(cli.scratch()))
    return _snapshot


def files_of(directory):
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def environment(server, fault=None):
    env = {**os.environ, **gcs_server.plain_environment(server)}
    if fault:
        if not hiwari.has_faults():
            raise tap.Skip("a release build")
        env["HIWARI_FAULT"] = fault
    return env


def push(server, fault=None, **options):
    return cli.run("snapshot", "push", snapshot(), REMOTE, env=environment(server, fault), **options)


def pull(server, directory, fault=None, **options):
    return cli.run("snapshot", "pull", REMOTE, directory, env=environment(server, fault), **options)


def test_a_snapshot_comes_back_from_a_bucket():
    with cli.scratch() as tmp, gcs_server.serve() as server:
        cli.says(push(server).stdout, "pushed")
        assert "snapshots/one/_push.json" not in server.objects
        names = set(server.objects)
        assert {"snapshots/one/snapshot.json", "snapshots/one/appearances/=40day.npy"} <= names, names
        cli.says(push(server).stdout, "already")
        pull(server, tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot()) and not server.problems, server.problems


def test_a_killed_push_sends_nothing_twice_and_reads_nothing_back():
    with cli.scratch() as tmp, gcs_server.serve() as server:
        push(server, "kill:pushed:9", code=-9)
        cli.says(pull(server, tmp / "out", code=78).stderr, "not whole")
        before = {name: o.generation for name, o in server.objects.items() if name.endswith(".npy")}
        assert len(before) >= 9
        server.counts.clear()
        push(server)
        assert {name: server.objects[name].generation for name in before} == before
        assert server.counts.get("get", 0) <= 3, server.counts  # snapshot.json and the claim
        pull(server, tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot()) and not server.problems, server.problems


def test_push_and_pull_over_a_network_that_misbehaves():
    faults = [gcs_server.status(503, "try later"), gcs_server.lose(), gcs_server.refuse(), gcs_server.cut(10),
              gcs_server.after(503)]
    with cli.scratch() as tmp, gcs_server.serve() as server:
        for i, fault in enumerate(faults):
            for step, number in (("put", 3 * i), ("get", 3 * i), ("list", i), ("delete", i)):
                if not (step in ("get", "list") and fault.kind == "after"):
                    server.misbehave(step, number, fault)
        push(server, timeout=300)
        pull(server, tmp / "out", timeout=300)
        assert files_of(tmp / "out") == files_of(snapshot()) and not server.problems, server.problems


def test_a_pull_goes_on_where_it_was_killed():
    with cli.scratch() as tmp, gcs_server.serve() as server:
        push(server)
        pull(server, tmp / "out", "kill:pulled:12", code=-9)
        server.counts.clear()
        pull(server, tmp / "out")
        assert server.counts["get"] < 21 - 4, server.counts
        assert files_of(tmp / "out") == files_of(snapshot())


def test_a_damaged_object_is_found_and_an_overwritten_one_too():
    with cli.scratch() as tmp, gcs_server.serve() as server:
        push(server)
        name = "snapshots/one/appearances/=40day.npy"
        whole = server.objects[name].data
        server.put(name, whole[:-1] + b"\x01")
        cli.says(pull(server, tmp / "out", code=65).stderr, "=40day.npy", "checksum")
        server.counts.clear()
        cli.says(push(server).stdout, "pushed")
        assert server.counts.get("get", 0) <= 2, server.counts  # the listing has checksums: nothing is read back
        assert server.objects[name].data == whole and server.counts["put"] == 1
        cli.says(push(server).stdout, "already")
        del server.objects[name]
        push(server)
        pull(server, tmp / "out")
        assert files_of(tmp / "out") == files_of(snapshot())


def collected_on_a_terminal(out, env):
    """What is drawn there while this is collected."""
    command = [str(cli.HIWARI), "collect", "--dest", RESULTS, "--out", str(out)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], command, {**env, "TERM": "xterm"})
    said = b""
    with contextlib.suppress(OSError):  # how a terminal says that the other side has gone
        while got := os.read(terminal, 4096):
            said += got
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said
    return said.decode()


def test_results_are_collected_from_a_bucket():
    with cli.scratch() as tmp, gcs_server.serve() as server:
        env = environment(server)
        days = ("--from", "2016-01-01", "--to", "2016-03-31")
        cli.run("run", "--snapshot", snapshot(), "--spec", cli.FOOTBALL / "spec.json", "--dest", RESULTS, *days, env=env)
        cli.football_run(snapshot(), tmp / "local", *days)
        cli.run("collect", "--dest", tmp / "local", "--out", tmp / "want.csv")
        for number, fault in ((2, gcs_server.status(503)), (5, gcs_server.cut(100)), (9, gcs_server.refuse())):
            server.misbehave("get", server.counts.get("get", 0) + number, fault)
        cli.run("collect", "--dest", RESULTS, "--out", tmp / "got.csv", env=env)
        assert (tmp / "got.csv").read_bytes() == (tmp / "want.csv").read_bytes()
        server.misbehave("get", server.counts["get"] + 9, gcs_server.late(1.5))
        assert re.search(r"\d+ of \d+ keys", collected_on_a_terminal(tmp / "again.csv", env))
        assert (tmp / "again.csv").read_bytes() == (tmp / "want.csv").read_bytes()
        name = next(n for n in sorted(server.objects) if n.endswith(".zip"))
        del server.objects[name]
        cli.says(cli.run("collect", "--dest", RESULTS, "--out", tmp / "x.csv", env=env, code=65).stderr, "1 of ",
                 pathlib.Path(name).stem, "deleted")
        assert not (tmp / "x.csv").exists() and not server.problems, server.problems


if __name__ == "__main__":
    with contextlib.ExitStack() as _stack:
        tap.main()
