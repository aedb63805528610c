#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""What broke in other work queues, and whether hiwari's remedies are what keeps it from breaking here.

Each test plays a scenario twice: with hiwari as it is, where it must go well, and with the remedy switched off by a
patch, where it must not. Patches of Lua are made to the scripts' text as it is sent; patches of C to a copy of the
sources that is built for it.

| row | what broke elsewhere                                  | remedy switched off here                              |
|-----|-------------------------------------------------------|-------------------------------------------------------|
| 1   | a key lost between two commands of a lease            | the script that pops also writes down who has it      |
| 2   | a slow worker's done counts after takeover            | done compares tokens; the upload is conditional       |
| 3   | renewal starved by work                               | the heartbeat's thread renews                         |
| 4   | a hung job renewed for ever                           | a time limit per key                                  |
| 5   | a long fixed lease                                    | short leases with renewal                             |
| 6   | preemption eats the retry budget                      | interruptions are counted apart                       |
| 7   | a key that kills workers for ever                     | a cap on interruptions                                |
| 8   | the same fence after a requeue or a rollback          | a random part in each token                           |
| 9   | workers' clocks                                       | the server's time; workers fence themselves           |
| 10  | an item active without a lease                        | fsck compares and repairs                             |
| 11  | NOSCRIPT after a restart                              | the text is sent once more                            |
| 12  | a long script                                         | a hundred items per call                              |
| 13  | WAIT inside of a script                               | it is sent after it                                   |
| 14  | a failover loses what was acknowledged                | reconcile rebuilds from the destination               |
| 15  | eviction drops keys                                   | such a Redis is refused                               |
| 16  | finished work fills the memory                        | what is remembered is bounded, and expires            |
| 17  | CROSSSLOT                                             | one hash tag per batch                                |
| 18  | a reused name hides orphans                           | a new name for each process                           |
| 29  | a second run meets leaving workers of the first       | incarnations; a sealed batch takes no more keys       |

That a killed connection loses no key at any call is test_queue_fault's; rows 1 to 18 with real kills and stops are
test_leases' and test_recovery's.
"""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import patched
import proxy
import scripts
import tap

SHORT_MS = 200  # a lease that runs out while we wait

FAILURES = (AssertionError, subprocess.TimeoutExpired)


def breaks(scenario, *args):
    """The scenario must fail, and by what it asserts."""
    try:
        scenario(*args)
    except FAILURES as error:
        print(f"# switched off: {str(error).splitlines()[0][:150] if str(error) else type(error).__name__}")
        return
    raise AssertionError("the remedy is switched off, and nothing went wrong")


def shows(scenario, file, *pairs):
    """A scenario for the scripts, with and without these places (file may be the prelude)."""
    with scripts.batch() as batch:
        scenario(batch)
    with scripts.batch({file: list(pairs)}) as batch:
        breaks(scenario, batch)


def after_lease_time():
    time.sleep(1.5 * SHORT_MS / 1000)


# ---- with the scripts alone ----


def test_row_1_a_worker_that_dies_right_after_the_lease_call_loses_no_key():
    def scenario(batch):
        batch.fill(["k1"], lease_ms=SHORT_MS)
        batch.one("w1")
        after_lease_time()
        assert [key for key, _ in batch.lease("w2")] == ["k1"], "the key is lost"

    shows(scenario, "lease.lua", ("    call('ZADD', LEASED, unpack(leased))\n    call('HSET', RECORDS, unpack(changed))\n    local more",
                                  "    local more"))


def test_row_2_done_of_a_worker_whose_lease_was_taken_over_is_stale():
    def scenario(batch):
        batch.fill(["k1"], lease_ms=SHORT_MS)
        late = batch.one("w1")
        after_lease_time()
        batch.one("w2")
        assert batch.verb("done", "w1", late, 1, 1) == "STALE"
        assert batch.count("done") == 0

    shows(scenario, "done.lua", ("find(text, token, 1, true)", "find(text, '%d+%-%x+')"))


def test_row_5_a_dead_workers_key_comes_back_after_a_short_lease():
    def scenario(batch):
        batch.fill(["k1", "k2"], lease_ms=SHORT_MS)
        batch.one("w1")
        after_lease_time()
        assert len(batch.lease("w2", 2)) == 2, "the dead worker's key is not back yet"

    shows(scenario, "lease.lua", ("string.format('%.0f', now + lease_ms)", "string.format('%.0f', now + 2820000)"),
          ("back > now + lease_ms + SLACK_MS", "back > now + 2820000 + SLACK_MS"))


def test_row_5_a_renewed_lease_is_kept_however_long_the_work_takes():
    def scenario(batch):
        batch.fill(["k1"], lease_ms=2000)
        lease = batch.one("w1")
        for _ in range(3):
            time.sleep(0.8)
            assert batch.verb("renew", "w1", lease, 1) == "OK"
            assert not batch.lease("w2"), "the key was leased to another while it was worked on"

    shows(scenario, "renew.lua", ("if #leased > 0 then", "if false then"))


def test_row_6_interruptions_cost_no_attempt():
    def scenario(batch):
        batch.fill(["k1"], max_attempts=2)
        for _ in range(2):
            lease = batch.one("w1")
            batch.verb("renew", "w1", lease, 1)
            batch.verb("release", "w1", lease, 1)
        assert batch.record("k1") == ("p", 0, 2), batch.record("k1")
        batch.verb("fail", "w1", batch.one("w1"), "error", "once", 0)
        assert batch.record("k1")[0] == "w", "its first error was its last"

    shows(scenario, "prelude.lua", ("        r.i = r.i + 1\n", "        r.a = r.a + 1\n"))


def test_row_7_a_key_that_ends_its_workers_is_given_up():
    def scenario(batch):
        batch.fill(["k1"], max_interruptions=3)
        for i in range(4):
            leased = batch.lease(f"w{i}")
            if leased:
                batch.verb("renew", f"w{i}", leased[0], 1)
                batch.verb("release", f"w{i}", leased[0], 1)
        assert (batch.count("failed"), batch.count("pending")) == (1, 0), "it goes on ending workers"
        assert batch.redis("HGET", batch.keys["errors"], "k1").startswith("interrupted\n")

    shows(scenario, "prelude.lua", ("if r.i > b.max_interruptions then", "if false then"))


def test_row_8_a_token_never_comes_again_though_redis_went_back():
    def scenario(batch):
        batch.fill(["k1"])
        before = batch.redis("HGET", batch.keys["batch"], "seq")
        early = batch.one("w1")
        batch.verb("release", "w1", early, 1)
        batch.redis("HSET", batch.keys["batch"], "seq", before)  # as after a failover
        later = batch.one("w2")
        assert early[1] != later[1], f"two leases with the token {early[1]}"
        assert batch.verb("done", "w1", early, 1, 1) == "STALE"

    shows(scenario, "lease.lua", ("local random, tail = '-' .. nonce", "local random, tail = ''"))


def test_row_9_a_workers_clock_decides_nothing():
    def scenario(batch):
        batch.fill(["k1"])
        batch.one("w1")
        assert not batch.lease("w2"), "a worker whose clock is ahead took a key that another holds"

    # The time is the caller's, and w2's clock is two minutes ahead.
    shows(scenario, "prelude.lua", ("local now = tonumber(now_text)",
                                    "local now = tonumber(now_text) + (ARGV[2] == 'w2' and 120000 or 0)"))


def test_row_10_a_key_that_is_leased_but_has_no_deadline_is_found_and_given_back():
    def scenario(batch):
        batch.fill(["k1"])
        batch.one("w1")
        batch.redis("ZREM", batch.keys["leased"], "k1")
        found = batch.call("fsck", 0, "records", "k1")
        assert found[1:2] == ["k1"] and "no place" in found[2], found
        batch.call("fsck", 1, "records", "k1")
        assert batch.one("w2")[0] == "k1"

    shows(scenario, "fsck.lua", ("if #places ~= 1 or places[1] ~= r.s then", "if false then"))


def test_row_12_one_call_touches_a_hundred_items_at_most():
    def scenario(batch):
        batch.fill([f"k{i:03}" for i in range(250)], lease_ms=SHORT_MS)
        for worker in ("w1", "w2", "w3"):
            batch.lease(worker, 100)
        after_lease_time()
        leased = batch.count("leased")
        batch.lease("w4", 1)
        assert leased - batch.count("leased") == 99, "more than a hundred were taken back, or fewer"

    shows(scenario, "prelude.lua", ("local STEP = 100 ", "local STEP = 7000 "))


def test_row_16_a_settled_batch_expires():
    def scenario(batch):
        batch.fill(["k1"])
        batch.verb("done", "w1", batch.one("w1"), 1, 1)
        _, _, token, epoch = batch.call("settle_begin", "w1", "0" * 12)
        assert batch.call("settle_finish", token, epoch, 60000) == ["OK", "OK"]
        kept = [key for key in batch.keys.values() if batch.redis("PTTL", key) == -1]
        assert not kept, f"{kept} stay for ever"

    shows(scenario, "settle_finish.lua", ("    call('PEXPIRE', key, ARGV[4])\n", ""))


def test_row_16_of_each_key_the_last_leases_are_remembered_and_no_more():
    def scenario(batch):
        batch.fill(["k1"])
        for _ in range(12):
            batch.verb("release", "w1", batch.one("w1"), 1)
        lines = batch.redis("HGET", batch.keys["history"], "k1").splitlines()
        assert len(lines) <= 10, f"{len(lines)} leases are remembered"

    shows(scenario, "prelude.lua", ("local LINEAGE = 9 ", "local LINEAGE = 900 "))


def test_row_29_a_worker_of_the_last_run_does_nothing_to_this_one():
    def scenario(batch):
        batch.fill(["k1"])
        lease = batch.one("w1")
        batch.call("control", "cancel")
        batch.begin(incarnation="inc-2")
        assert batch.call("renew", "w1", *lease, 1) == ["GONE"], "renewed in another run"
        assert batch.call("done", "w1", *lease, 1, 1) == ["GONE"]
        assert batch.call("add", "p", 0, "", 0, "k2") == ["GONE"]
        assert batch.call("lease", "w1", "", "", 1, "f" * 12)[0] == "GONE"

    shows(scenario, "done.lua", ("if call('HGET', BATCH, 'inc') ~= ARGV[1] then", "if false then"))


def test_row_29_a_sealed_batch_takes_no_more_keys():
    def scenario(batch):
        batch.fill(["k1"])
        assert batch.call("add", "p", 0, "", 0, "k2") == ["OK", 0, 0, 1]
        assert batch.count("pending") == 1, "a key was added late"

    shows(scenario, "add.lua", ("if call('HGET', BATCH, 'sealed') == '1' then", "if false then"))


# ---- with the programs ----


class Programs:
    """hiwari and hiwari-worker, and how long to wait for what they promise."""

    def __init__(self, pair, patience):
        self.pair, self.patience = pair, patience

    def batch(self):
        return hiwari.football(programs=self.pair, snapshot=snapshot())


_snapshot = None


def snapshot():
    global _snapshot
    if _snapshot is None:
        _snapshot = cli.football_snapshot(patched.scratch())
    return _snapshot


def shows_in_c(scenario, patches):
    """A scenario for the programs, with and without these places: {file: [(old, new), …]}."""
    if not hiwari.has_faults():
        raise tap.Skip("this is a release build: HIWARI_FAULT has no effect")
    for program in ("meson", "ninja"):
        if not shutil.which(program):
            raise tap.Skip(f"{program} is not installed, so nothing can be built")
    scenario(Programs((cli.HIWARI, cli.WORKER), 60))
    with patched.programs(patches) as pair:
        breaks(scenario, Programs(pair, 6))


@contextlib.contextmanager
def busy_cores():
    """Every core has something to compute."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_row_2_an_upload_replaces_nothing():
    def scenario(programs):
        with programs.batch() as batch:
            batch.enqueue("--limit", 2)
            other = batch.dest / f"{first_key(batch)}.zip"
            other.write_bytes(b"of another worker")
            batch.worker().wait(0)
            assert other.read_bytes() == b"of another worker", "it was replaced"

    shows_in_c(scenario, {"lib/worker/uploader.c": [
        ("key->lease.expect, NULL, err)", "STORE_EXPECT_ANYTHING, NULL, err)")]})


def first_key(batch):
    return batch.redis_cli("ZRANGE", f"hiwari:{{{batch.name}}}:pending", 0, 0).strip()


def test_row_3_leases_are_renewed_while_every_core_computes():
    def scenario(programs):
        with programs.batch() as batch, busy_cores():
            batch.enqueue("--limit", 1, "--lease-seconds", 3)
            worker = batch.worker(fault="slow:computing:7000")
            worker.wait(0, 10 + programs.patience)
            assert not worker.said("was lost") and not worker.said("came too late"), worker.text()
            assert batch.status()["interruptions"] == 0

    shows_in_c(scenario, {"lib/worker/heartbeat.c": [("if (now >= h->renew_at_ms)\n", "if (false)\n")]})


def test_row_4_a_hung_key_ends_and_is_not_renewed_for_ever():
    def scenario(programs):
        with programs.batch() as batch:
            batch.enqueue("--limit", 1, "--key-seconds", 1, "--max-attempts", 1)
            batch.worker(fault="slow:computing:600000").wait(70, programs.patience)
            assert batch.status()["failures"][0]["class"] == "timeout"

    shows_in_c(scenario, {"lib/worker/heartbeat.c": [
        ("if (held_overdue(h->held,", "if (false && held_overdue(h->held,")]})


def test_row_9_a_worker_that_could_not_renew_does_not_upload():
    def scenario(programs):
        with programs.batch() as batch:
            batch.enqueue("--limit", 1, "--lease-seconds", 2)
            worker = batch.worker(fault="slow:computing:5000")
            cli.wait_until(lambda: batch.status()["leased"] == 1, "the key is leased")
            batch.redis_cli("CLIENT", "PAUSE", 60000)
            cli.wait_until(lambda: worker.said("lease was lost") or worker.said("lease had run out") or
                           cli.results(batch.dest), "the lease is lost")
            time.sleep(6 if worker.said("lease was lost") else 0)  # what is computing comes out
            assert not cli.results(batch.dest), "uploaded without a lease"

    shows_in_c(scenario, {"lib/worker/held.c": [
        ("bool may = !key->lost && clock_ms() < key->lease.deadline_ms;", "bool may = true;"),
        ("key->stage >= HELD_FINISHED || now_ms < key->lease.deadline_ms)", "true || now_ms == 0)")]})


def test_row_11_scripts_that_redis_forgot_are_sent_again():
    def scenario(programs):
        with programs.batch() as batch:
            patched_program, batch.program = batch.program, None
            batch.enqueue("--limit", 2)
            batch.program = patched_program
            batch.redis_cli("SCRIPT", "FLUSH")
            batch.worker().wait(0)
            assert batch.has_success()

    shows_in_c(scenario, {"lib/queue/redis.c": [
        ('if (str_starts(text, "NOSCRIPT"))', 'if (false && str_starts(text, "NOSCRIPT"))')]})


def test_row_13_durable_waits_outside_of_any_script():
    """In a script WAIT is an error, or since Redis 7.2 waits for nobody and counts whoever is connected."""
    def scenario(programs):
        port = free_port()
        with programs.batch() as batch, cli.redis() as replica, proxy.Proxy(("127.0.0.1", port), tcp=True) as wire:
            batch.redis_cli("CONFIG", "SET", "port", port)  # a replica follows by TCP only
            scripts.Redis(replica)("REPLICAOF", *wire.address)
            cli.wait_until(lambda: "state=online" in batch.redis_cli("INFO", "replication"), "the replica follows")
            cli.says(batch.enqueue("--limit", 2, "--durable").stderr, "1 of 1 replica")
            wire.blackhole(True)
            cli.says(batch.enqueue("--limit", 2, "--durable", code=None).stderr, "0 of 1 replica")

    shows_in_c(scenario, {"lib/queue/queue_durable.c": [
        ('    redis_cmd_addz(cmd, disk ? "WAITAOF" : "WAIT");\n',
         '    redis_cmd_addz(cmd, "EVAL");\n    redis_cmd_addz(cmd, "return redis.call(\'WAIT\', 1, 3000)");\n'
         '    redis_cmd_addz(cmd, "0");\n    if (!disk)\n        return;\n')]})


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_row_14_what_redis_lost_is_rebuilt_from_the_destination():
    def scenario(programs):
        with programs.batch() as batch:
            batch.enqueue("--limit", 3)
            batch.worker().wait(0)
            there = batch.written()
            batch.redis_cli("FLUSHALL")
            batch.hiwari("reconcile", batch.name, "--dest", f"file://{batch.dest}", code=None)
            batch.worker().wait(0, programs.patience)
            assert batch.status()["done"] == 3 and batch.written() == there and batch.has_success()

    shows_in_c(scenario, {"lib/batch/reconcile.c": [
        ("        return rebuild(c, err);", "        return c ? 0 : rebuild(c, err);")]})


def test_row_15_a_redis_that_evicts_is_refused():
    def scenario(programs):
        with programs.batch() as batch:
            batch.redis_cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            cli.says(batch.enqueue("--limit", 2, code=78).stderr, "noeviction")

    shows_in_c(scenario, {"lib/queue/queue.c": [
        ("r == 0 && !options->allow_eviction", "false && !options->allow_eviction")]})


def test_row_17_everything_about_a_batch_is_in_one_slot():
    def scenario(programs):
        ports = ["--port", str(free_port()), "--cluster-port", str(free_port())]
        with programs.batch() as batch, cli.redis("--cluster-enabled", "yes", *ports) as cluster:
            batch.enqueue("--limit", 3)
            batch.worker().wait(0)
            keys = batch.redis_cli("KEYS", f"hiwari:*{batch.name}*").split()
            assert len(keys) > 5, keys
            slot = scripts.Redis(cluster)
            slots = {slot("CLUSTER", "KEYSLOT", key) for key in keys}
            assert len(slots) == 1, f"{len(keys)} keys in {len(slots)} slots"

    shows_in_c(scenario, {"lib/queue/queue.c": [
        ("hiwari:{%s}:%s", "hiwari:%s:%s"), ("hiwari:{%s}:batch", "hiwari:%s:batch")]})


def test_row_18_no_worker_has_the_name_of_another():
    def scenario(programs):
        with programs.batch() as batch:
            batch.enqueue("--limit", 2)
            names = set()
            for _ in range(2):
                worker = batch.worker()
                worker.wait(0)
                names.add(worker.said("worker begins")[0]["worker"])
            assert len(names) == 2, names

    shows_in_c(scenario, {"lib/worker/job.c": [
        ('mem_printf("%s-%ld-%08" PRIx32, host, (long)getpid(), (uint32_t)random_u64());', 'mem_printf("%s", host);')]})


if __name__ == "__main__":
    tap.main()
