#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""A Redis user who may do only what hiwari needs, and a whole batch in that user's name."""
import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import redis_rig
import tap

# Needed in other shapes of Redis, where test_redis_forms.py runs batches in this user's name.
ELSEWHERE = {"role", "asking", "cluster|slots", "wait", "waitaof"}
LOST = "2014-08-16"


def least_user(server):
    """The URL of a user made from the documented words."""
    server.cli("ACL", "SETUSER", *redis_rig.acl())
    return f"unix://hiwari:{redis_rig.PASSWORD_IN_URL}@{server.socket}?db=2"


def whole_batch(batch, server):
    """Every verb, and every way that a key can take."""
    dest = f"file://{batch.dest}"
    batch.dest.mkdir()
    batch.enqueue("--lease-seconds", 1, "--durable")
    batch.hiwari("pause", batch.name)
    batch.hiwari("resume", batch.name)
    if hiwari.has_faults():
        batch.worker(fault="kill:after-put:100").wait(-signal.SIGKILL)  # its keys are interrupted
    intruder = batch.dest / "2017-05-28.zip"
    intruder.write_bytes(b"not a zip")
    batch.finish()
    assert batch.status()["failed"] == 1
    intruder.unlink()
    batch.hiwari("retry", batch.name, "--all")
    batch.finish()
    batch.check()
    batch.hiwari("show", batch.name, LOST)
    batch.dest.joinpath(f"{LOST}.zip").unlink()
    batch.hiwari("reconcile", batch.name)
    server.cli("-n", 2, "ZREM", f"hiwari:{{{batch.name}}}:pending", LOST)
    cli.says(batch.hiwari("fsck", batch.name, "--repair", code=None).stdout, LOST)
    batch.finish()
    batch.check()
    server.cli("FLUSHALL")
    batch.hiwari("reconcile", batch.name, "--dest", dest, "--newest-first")
    drained = batch.worker("--linger", "0")
    drained.wait(0)
    batch.finish()
    batch.check()
    cli.says(batch.hiwari("status").stdout, batch.name)
    batch.hiwari("purge", batch.name)
    batch.dest = batch.tmp / "other"
    batch.enqueue("--limit", 3, "--newest-first")
    batch.worker("--linger", "0").wait(0)
    batch.hiwari("cancel", batch.name, code=None)


def used_commands(server):
    """From Redis' own counts, commands inside scripts among them."""
    stats = server.cli("INFO", "commandstats")
    found = re.findall(r"^cmdstat_([a-z|]+):calls=([1-9]\d*)", stats, re.M)
    return {name for name, _ in found}


def test_a_whole_batch_in_the_name_of_the_least_user():
    with cli.scratch() as tmp, redis_rig.Server(tmp / "redis", "--appendonly", "yes") as server:
        with hiwari.football(least_user(server)) as batch:
            server.cli("CONFIG", "RESETSTAT")
            try:
                whole_batch(batch, server)
            finally:
                denied = server.cli("ACL", "LOG")
                assert denied == "", denied
            used = used_commands(server)
            for worker in batch.workers:
                assert redis_rig.PASSWORD not in worker.text() and redis_rig.PASSWORD_IN_URL not in worker.text()
    unused = set(redis_rig.COMMANDS) - used
    assert unused <= ELSEWHERE, f"granted, and never used: {sorted(unused - ELSEWHERE)}"


def test_whoever_lacks_a_command_is_told_which():
    with cli.scratch() as tmp, redis_rig.Server(tmp / "redis") as server:
        with hiwari.football(least_user(server)) as batch:
            server.cli("ACL", "SETUSER", "hiwari", "-zadd")
            said = batch.enqueue(code=78).stderr
            cli.says(said, "refuses a command inside a script", "ACL LOG")
            cli.says(server.cli("ACL", "LOG"), "zadd")
            server.cli("ACL", "SETUSER", "hiwari", "+zadd", "-evalsha")
            cli.says(batch.enqueue(code=78).stderr, "refuses", "evalsha")
            server.cli("ACL", "SETUSER", "hiwari", "+evalsha", "resetkeys", "~other:*")
            cli.says(batch.enqueue(code=78).stderr, "refuses", "key")
            server.cli("ACL", "SETUSER", *redis_rig.acl())
            batch.enqueue()
            cli.says(batch.hiwari("status", batch.name).stderr, "do not add up", "hiwari fsck")
            batch.hiwari("fsck", batch.name, "--repair", code=None)  # a script was broken off in its middle
            batch.finish()
            batch.check()


def test_the_documented_user_is_this_one():
    """Whoever copies the line from the README, or takes the manifests' Redis, gets what was tested."""
    places = [cli.ROOT / "README.md", cli.ROOT / "k8s/base/redis/users.acl"]
    lines = [(place, line) for place in places if place.exists() for line in place.read_text().splitlines()
             if "~hiwari:*" in line]
    if not lines:
        raise tap.Skip("neither the README nor the manifests name the user yet")
    for place, line in lines:
        granted = set(re.findall(r"\+([a-z|]+)", line))
        assert granted | {"waitaof"} == set(redis_rig.COMMANDS), (str(place), granted ^ set(redis_rig.COMMANDS))


if __name__ == "__main__":
    tap.main()
