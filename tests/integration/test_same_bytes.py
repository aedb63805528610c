#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Results are the same, byte for byte, however they were computed: threads, workers, lease batches, index or none."""
import hashlib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import tap

FROM = "2016-07-01"  # the last seasons are enough: they have long histories behind them


def digests(dest):
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path(dest).glob("*.zip")}
    assert len(found) > 100, f"only {len(found)} results"
    return found


def by_run(snapshot, dest, workers, *more):
    cli.football_run(snapshot, dest, "--from", FROM, "--workers", workers, *more)
    return digests(dest)


def by_worker(snapshot, dest, *settings):
    """One worker process with these settings, and a Redis."""
    with cli.redis() as url:
        env = {**os.environ, "HIWARI_REDIS": url}
        cli.run("enqueue", "bytes", "--snapshot", snapshot, "--spec", cli.FOOTBALL / "spec.json", "--dest", dest,
                "--from", FROM, env=env)
        cli.run("--batch", "bytes", "--snapshot", snapshot, *settings, program=cli.WORKER, env=env)
    return digests(dest)


def same_as_reference(*runs):
    """Each run is a function of (snapshot, dest); all must leave the same bytes as one plain worker does."""
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        reference = by_worker(snapshot, tmp / "reference", "--threads", "1", "--index-dir", tmp / "no-index")
        for i, run in enumerate(runs):
            assert run(snapshot, tmp / str(i)) == reference, f"run {i} differs"


def test_one_and_three_workers_leave_the_same_bytes():
    same_as_reference(lambda s, d: by_run(s, d, 1), lambda s, d: by_run(s, d, 3))


def test_one_and_two_threads_leave_the_same_bytes():
    same_as_reference(lambda s, d: by_worker(s, d, "--threads", "2"))


def test_any_lease_batch_leaves_the_same_bytes():
    same_as_reference(*[lambda s, d, n=n: by_worker(s, d, "--threads", "1", "--lease-keys", n) for n in (1, 7, 64)])


def test_with_and_without_index_the_bytes_are_the_same():
    def indexed(snapshot, dest):
        done = cli.run("snapshot", "index", snapshot, "--spec", cli.FOOTBALL / "spec.json")
        cli.says(done.stdout, "written")
        return by_worker(snapshot, dest, "--threads", "1")

    same_as_reference(indexed)


def test_npz_results_are_the_same_bytes_too():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        one = by_run(snapshot, tmp / "one", 1, "--format", "npz")
        three = by_run(snapshot, tmp / "three", 3, "--format", "npz")
        assert one == three


if __name__ == "__main__":
    tap.main()
