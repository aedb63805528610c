#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""gs://: whole batches, credentials, what is wrong said clearly, and secrets nowhere."""
import contextlib
import datetime
import io
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import gcs_server as gcs
import hiwari
import store_tool
import tap

DEST = "gs://bucket-1/features/v 1+ü"
PLACE = "features/v 1+ü/"


@contextlib.contextmanager
def world(auth=False):
    """A server, a private folder, football's snapshot, and the environment of a user."""
    with cli.scratch() as tmp, gcs.serve(auth=auth) as server:
        environment = {**store_tool.CLEAN}
        if auth:
            environment |= gcs.proxy_environment(server)
            environment["GOOGLE_APPLICATION_CREDENTIALS"] = str(gcs.key_file(server))
        else:
            environment |= gcs.plain_environment(server)
        yield server, tmp, cli.football_snapshot(tmp), environment


def zips(server):
    return {name.removeprefix(PLACE): there for name, there in server.objects.items() if name.endswith(".zip")}


class GcsBatch(hiwari.Batch):
    """A batch whose destination is the scripted server."""

    def __init__(self, server, tmp, redis, snapshot, environment):
        super().__init__(tmp, redis, snapshot, cli.FOOTBALL / "spec.json")
        self.server, self.environment = server, environment

    def _env(self, fault):
        env = {**self.environment, "HIWARI_REDIS": self.redis}
        if fault:
            env["HIWARI_FAULT"] = fault
        return env

    def enqueue(self, *more, **options):
        return self.hiwari("enqueue", self.name, "--spec", self.spec, "--snapshot", self.snapshot, "--dest", DEST,
                           *more, **options)

    def all_logs(self):
        return "".join(worker.text() for worker in self.workers)


@contextlib.contextmanager
def batch_world(auth=False):
    with world(auth) as (server, tmp, snapshot, environment), cli.redis() as redis:
        batch = GcsBatch(server, tmp, redis, snapshot, environment)
        try:
            yield server, batch
        finally:
            for worker in batch.workers:
                worker.signal(signal.SIGCONT)
                worker.kill()


# ---- batches ----

def test_a_whole_batch_has_the_bytes_of_a_local_one_and_a_second_run_uploads_no_result():
    with world(auth=True) as (server, tmp, snapshot, environment):
        cli.football_run(snapshot, tmp / "local")
        cli.football_run(snapshot, DEST, env=environment)
        there = zips(server)
        assert sorted(there) == sorted(p.name for p in (tmp / "local").glob("*.zip")) and len(there) == hiwari.KEYS
        for name, found in there.items():
            assert found.data == (tmp / "local" / name).read_bytes(), name
            assert found.kind == "application/zip"
            comment = zipfile.ZipFile(io.BytesIO(found.data)).comment
            assert json.loads(found.metadata["hiwari-result"]) == json.loads(comment), name
        success = json.loads(server.objects[PLACE + "_SUCCESS"].data)
        assert success["manifest_crc32c"] == f"{hiwari.crc32c(server.objects[PLACE + '_manifest.jsonl'].data):08x}"
        assert len(server.writes) == len(set(server.writes)), "something was written twice"
        assert not server.problems, server.problems
        assert server.count("token") <= 6, "a token is shared by all threads of a process"
        server.writes.clear()
        server.counts.clear()
        cli.says(cli.football_run(snapshot, DEST, env=environment).stdout, "547")
        assert not [name for name in server.writes if name.endswith(".zip")] and server.count("get") < 20


def test_a_batch_over_a_network_that_fails_in_every_way_is_there_once():
    dice = random.Random(7)
    faults = [gcs.status(503), gcs.status(429), gcs.lose(), gcs.refuse(), gcs.early(50), gcs.cut(1), gcs.cut(40),
              gcs.after(500), gcs.late(0.2), gcs.nonsense()]
    with world() as (server, tmp, snapshot, environment):
        server.rule = lambda step, number: dice.choice(faults) if dice.random() < 0.12 else None
        cli.football_run(snapshot, tmp / "local", "--limit", 120)
        cli.football_run(snapshot, DEST, "--limit", 120, env=environment)
        there = zips(server)
        assert len(there) == 120
        for name, found in there.items():
            assert found.data == (tmp / "local" / name).read_bytes(), name
        written = [name for name in server.writes if name.endswith(".zip")]
        assert len(written) == len(set(written)) and not server.problems, server.problems
        assert PLACE + "_SUCCESS" in server.objects


def test_results_are_skipped_refused_and_replaced_as_in_a_folder():
    with batch_world() as (server, batch):
        batch.enqueue("--limit", 20)
        batch.finish()
        first = {name: found.generation for name, found in zips(server).items()}
        assert len(first) == 20
        cli.says(batch.enqueue("--limit", 20, "--format", "npz", code=78).stderr, "another format", "--replace-stale")
        batch.enqueue("--limit", 20, "--format", "npz", "--replace-stale")
        batch.finish()
        second = {name: found.generation for name, found in zips(server).items()}
        assert sorted(second) == sorted(first) and all(second[n] > first[n] for n in first)
        victim = sorted(second)[3]
        del server.objects[PLACE + victim]
        batch.redis_cli("FLUSHALL")
        batch.hiwari("reconcile", batch.name, "--dest", DEST)
        batch.finish()
        third = {name: found.generation for name, found in zips(server).items()}
        assert [n for n in second if third[n] != second[n]] == [victim] and not server.problems


def test_listings_of_many_pages_are_seen_whole():
    with batch_world() as (server, batch):
        server.page = 7
        some, more = ("--from", "2016-01-01", "--to", "2016-03-31"), ("--from", "2016-01-01", "--to", "2016-04-30")
        batch.enqueue(*some)
        batch.finish()
        first = {name: found.generation for name, found in zips(server).items()}
        asked = server.count("list")
        cli.says(batch.enqueue(*more).stdout, f" {len(first)} skipped because their result exists")
        assert len(first) >= 20 and server.count("list") - asked >= len(first) // 7, "one page had all of them"
        batch.finish()
        second = {name: found.generation for name, found in zips(server).items()}
        assert len(second) > len(first) and all(second[n] == first[n] for n in first), "a result was computed again"
        victims = sorted(second)[2::9]
        for name in victims:
            del server.objects[PLACE + name]
        batch.redis_cli("FLUSHALL")
        batch.hiwari("reconcile", batch.name, "--dest", DEST)
        batch.finish()
        third = {name: found.generation for name, found in zips(server).items()}
        assert sorted(n for n in second if third[n] != second[n]) == victims
        cli.says(batch.enqueue(*more, "--format", "npz", code=78).stderr, str(len(third)), "--replace-stale")
        batch.enqueue(*more, "--format", "npz", "--replace-stale")
        batch.finish()
        fourth = {name: found.generation for name, found in zips(server).items()}
        assert sorted(fourth) == sorted(third) and all(fourth[n] > third[n] for n in third) and not server.problems


def test_a_result_that_somebody_put_there_meanwhile_decides():
    with batch_world() as (server, batch):
        batch.enqueue("--limit", 3)
        key = json.loads(server.objects[PLACE + "_batch.json"].data)["keys"]["list"][1]
        server.put(f"{PLACE}{key}.zip", b"PK something else")
        batch.finish()
        failures = batch.status()["failures"]
        assert [f["key"] for f in failures] == [key]
        cli.says(failures[0]["error"], "another result is there", "--replace-stale")
        assert server.objects[f"{PLACE}{key}.zip"].data == b"PK something else"


def test_a_key_whose_upload_is_refused_for_too_long_is_a_failed_attempt_in_the_servers_words():
    with batch_world() as (server, batch):
        batch.enqueue("--limit", 4, "--max-attempts", 2)
        key = json.loads(server.objects[PLACE + "_batch.json"].data)["keys"]["list"][2]
        server.victim = ("put", f'{key}.zip","contentType"'.encode(),
                         gcs.status(503, "Backend is on holiday", {"Retry-After": "3600"}))
        batch.finish()
        status = batch.status()
        assert (status["done"], status["failed"], status["attempts"]) == (3, 1, 2), status
        failure = status["failures"][0]
        assert failure["key"] == key and failure["attempts"] == 2
        cli.says(failure["error"], "HTTP 503", "Backend is on holiday", key)


def test_a_lease_is_renewed_until_a_slow_upload_is_acknowledged():
    with batch_world() as (server, batch):
        batch.enqueue("--limit", 2, "--lease-seconds", 1)
        server.misbehave("put", server.count("put"), gcs.late(4))
        batch.finish()
        status = batch.status()
        assert (status["done"], status["attempts"], status["interruptions"]) == (2, 0, 0), status
        assert not batch.workers[0].said("a lease was lost")


def test_many_uploads_are_under_way_while_keys_compute():
    with batch_world() as (server, batch):
        batch.enqueue("--limit", 200)
        server.delay = 0.05
        started = time.monotonic()
        batch.finish()
        took = time.monotonic() - started
        assert server.most_together >= 8, f"{server.most_together} at the same time"
        assert took < 0.05 * 200, f"one after the other: {took:.1f} s"


def wide_snapshot(tmp, days, rows):
    """Each of its days is a result of half a kilobyte a row."""
    rng = random.Random(5)
    with open(tmp / "t.csv", "w", encoding="utf-8") as file:
        file.write("d,g,x\n")
        for day in range(days):
            date = datetime.date(2020, 1, 1) + datetime.timedelta(day)
            file.write("".join(f"{date},{rng.randrange(300)},{rng.random()}\n" for _ in range(rows)))
    cli.run("snapshot", "create", "--csv", f"t={tmp}/t.csv,time=d", "--out", tmp / "wide")
    features = {f"f{n}": {"calc": "max(x)", "by": "g", "last": n} for n in range(1, 61)}
    (tmp / "wide.json").write_text(json.dumps({"spec": 1, "tables": {"t": {"time": "d", "result_columns": []}},
                                               "target": {"table": "t", "cutoff": "d"}, "features": features}))
    return tmp / "wide", tmp / "wide.json"


def private_kb(process):
    found = re.search(r"RssAnon:\s+(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text())
    return int(found[1]) if found else 0


def test_memory_is_bounded_while_hundreds_of_keys_wait_for_slow_uploads():
    keys, rows = 300, 500
    with batch_world() as (server, batch):
        batch.snapshot, batch.spec = wide_snapshot(batch.tmp, keys, rows)
        batch.environment |= {"ASAN_OPTIONS": "quarantine_size_mb=1:detect_leaks=0", "MALLOC_ARENA_MAX": "2"}
        batch.enqueue()
        server.delay = 0.04
        worker = batch.worker("--uploads", 2, "--threads", 1)
        cli.wait_until(lambda: len(zips(server)) >= 20, "the first uploads")
        first = most = private_kb(worker.process)
        while worker.process.poll() is None:
            with contextlib.suppress(OSError):
                most = max(most, private_kb(worker.process))
            time.sleep(0.02)
        worker.wait(0)
        assert len(zips(server)) == keys and not server.problems
        all_of_them = keys * rows * 60 * 8 >> 10
        print(f"# {most - first} kB more than at first; all frames have {all_of_them} kB")
        assert most - first < all_of_them / 5, (first, most)


def hangs(server, step):
    """From now on every second request of this step is taken and never answered, the others not even taken."""
    first = server.count(step)
    server.rule = lambda s, n: (gcs.stall(600) if (n - first) % 2 else gcs.late(600)) if s == step else None


def ends(worker, code, seconds):
    began = time.monotonic()
    worker.wait(code)
    took = time.monotonic() - began
    assert took < seconds, f"it took {took:.1f} s"


def test_uploads_that_hang_are_given_back_by_the_end_of_the_grace_time():
    with batch_world() as (server, batch):
        batch.enqueue("--limit", 40)  # a lease of 30 s: nothing comes back by itself
        hangs(server, "put")
        drained = batch.worker("--grace", 2)
        cli.wait_until(lambda: server.count("put") > 20, "uploads hang")
        drained.signal(signal.SIGTERM)
        ends(drained, 143, 10)
        assert batch.status()["leased"] == 0
        assert drained.said("released unfinished")
        server.rule = None
        began = time.monotonic()
        batch.finish()
        assert time.monotonic() - began < 20, "keys waited for their leases"
        status = batch.status()
        assert (status["done"], status["failed"], status["attempts"]) == (40, 0, 0), status
        written = [name for name in server.writes if name.endswith(".zip")]
        assert len(written) == len(set(written)) == 40 and not server.problems


def test_a_worker_of_a_cancelled_batch_does_not_wait_for_uploads_that_hang():
    with batch_world() as (server, batch):
        batch.enqueue("--limit", 40)
        hangs(server, "put")
        worker = batch.worker()
        cli.wait_until(lambda: server.count("put") > 20, "uploads hang")
        batch.hiwari("cancel", batch.name)
        ends(worker, 75, 20)


def test_a_metadata_server_that_hangs_does_not_outlast_the_grace_time():
    with batch_world(auth=True) as (server, batch):
        batch.enqueue("--limit", 300)
        del batch.environment["GOOGLE_APPLICATION_CREDENTIALS"]
        batch.environment |= metadata_host(server)
        server.token_seconds, server.delay = 2, 0.05
        server.rule = lambda step, number: gcs.stall(600) if (step, number > 0) == ("metadata", True) else None
        drained = batch.worker("--grace", 2, "--uploads", 2)
        cli.wait_until(lambda: server.count("metadata") > 1, "a new token is asked for")
        drained.signal(signal.SIGTERM)
        ends(drained, 143, 10)
        assert batch.status()["leased"] == 0
        server.rule = lambda step, number: gcs.stall(600) if step == "metadata" else None
        asked = server.count("metadata")
        unbegun = batch.worker()
        cli.wait_until(lambda: server.count("metadata") > asked, "the first token is asked for")
        unbegun.signal(signal.SIGTERM)
        ends(unbegun, 143, 10)
        assert batch.status()["leased"] == 0


# ---- credentials ----

def opens(server, environment, **options):
    server.objects.clear()
    return store_tool.put({**gcs.proxy_environment(server), **environment}, "gs://bucket-1/p", "a.zip", b"x" * 100,
                          **options)


def test_a_service_accounts_key():
    with gcs.serve(auth=True) as server:
        said = opens(server, {"GOOGLE_APPLICATION_CREDENTIALS": str(gcs.key_file(server))})
        assert said.ok and server.steps == ["token", "put"] and not server.problems, (said, server.problems)


def test_a_persons_credentials_as_gcloud_leaves_them():
    with gcs.serve(auth=True) as server:
        gcs.user_file(server, server.tmp / ".config/gcloud/application_default_credentials.json")
        assert opens(server, {}).ok
        gcs.user_file(server, server.tmp / "elsewhere/application_default_credentials.json")
        assert opens(server, {"HOME": "/nonexistent", "CLOUDSDK_CONFIG": str(server.tmp / "elsewhere")}).ok
        assert not server.problems, server.problems


def test_workload_identity_federation_from_a_file():
    for json_token in (False, True):
        for impersonate in (False, True):
            with gcs.serve(auth=True) as server:
                path = gcs.external_file(server, json_token, impersonate)
                said = opens(server, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)})
                assert said.ok, (said, server.problems)
                assert server.steps == ["token", "impersonate", "put"] if impersonate else ["token", "put"]
                assert ("ya29.i" in server.seen_authorization[-1]) == impersonate and not server.problems


def metadata_host(server):
    return {"GCE_METADATA_HOST": server.url.removeprefix("http://")}


def test_the_metadata_server_is_waited_for_at_the_start_of_a_pod():
    slow_start = [gcs.refuse(), gcs.status(404, "not yet"), gcs.status(500), gcs.status(403, "unknown"), gcs.garbage()]
    with gcs.serve(auth=True) as server:
        for number, fault in enumerate(slow_start):
            server.misbehave("metadata", number, fault)
        said = opens(server, metadata_host(server))
        assert said.ok and server.count("metadata") == len(slow_start) + 1, (said, server.steps)


def test_the_order_is_that_of_googles_libraries():
    with gcs.serve(auth=True) as server:
        gcs.user_file(server, server.tmp / ".config/gcloud/application_default_credentials.json")
        every = {"GOOGLE_APPLICATION_CREDENTIALS": str(gcs.key_file(server)), **metadata_host(server)}
        assert opens(server, every).ok
        assert server.count("metadata") == 0
        del every["GOOGLE_APPLICATION_CREDENTIALS"]
        assert opens(server, every).ok and server.count("metadata") == 0 and server.count("token") == 2
        (server.tmp / ".config/gcloud/application_default_credentials.json").unlink()
        assert opens(server, every).ok and server.count("metadata") == 1
    with gcs.serve() as server:
        assert opens(server, {**every, "STORAGE_EMULATOR_HOST": server.url}).ok and server.steps == ["put"]


def test_a_refused_token_is_fetched_again_once():
    with gcs.serve(auth=True) as server:
        key = {"GOOGLE_APPLICATION_CREDENTIALS": str(gcs.key_file(server))}
        server.misbehave("put", 0, gcs.status(401, "Invalid Credentials"))
        assert opens(server, key).ok and server.steps == ["token", "put", "token", "put"], server.steps
        server.rule = lambda step, number: gcs.status(401, "Invalid Credentials") if step == "put" else None
        server.steps.clear()
        said = opens(server, key)
        assert said.failed and server.steps == ["token", "put", "token", "put"], server.steps
        cli.says(said.words, "HTTP 401", "Invalid Credentials", "not accepted")


def test_a_token_is_refreshed_before_it_expires_and_shared():
    with batch_world(auth=True) as (server, batch):
        server.token_seconds = 4
        server.delay = 0.05
        batch.enqueue("--limit", 300)
        worker = batch.worker("--uploads", 2)
        worker.wait(0)
        assert server.count("token") >= 3, "it was never refreshed"
        assert server.count("token") < 12, "it is fetched for every request"
        assert batch.status()["done"] == 300 and not server.problems


def test_wrong_credentials_are_named_with_what_is_wrong():
    with gcs.serve(auth=True) as server:
        def said(environment, *words, code=-5):
            got = opens(server, environment)
            assert got.failed and got.code == code, got
            cli.says(got.words, *words)
        path = server.tmp / "wrong.json"
        wrong = {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}
        said({"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent/key.json"}, "/nonexistent/key.json", "No such file")
        for text, words in (("", "not JSON"), ("{", "not JSON"), ("[]", "type"), ('{"type": 7}', "type"),
                            ('{"type": "service_account"}', "client_email"),
                            ('{"type": "gdch_service_account"}', "gdch_service_account"),
                            ('{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": '
                             '"https://x/", "credential_source": {"url": "http://x"}}', "credential_source"),
                            ('{"type": "service_account", "client_email": "a", "private_key": "none", "token_uri": '
                             '"http://example.com/token"}', "https://")):
            path.write_text(text)
            said(wrong, str(path), words)
        said({"GOOGLE_APPLICATION_CREDENTIALS": "/dev/zero"}, "/dev/zero has more than 1048576 bytes")
        gcs.key_file(server, private_key="-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
        said({"GOOGLE_APPLICATION_CREDENTIALS": str(server.tmp / "key.json")}, "private key", "key.json")
        other = server.tmp / "other"
        other.mkdir()
        gcs.make_keys(other)
        gcs.key_file(server, private_key=(other / "robot.pem").read_text())
        said({"GOOGLE_APPLICATION_CREDENTIALS": str(server.tmp / "key.json")}, "refused", "Invalid JWT Signature")
        gcs.user_file(server, path, refresh_token="1//another-refresh-token-of-somebody")
        said(wrong, "refused", "invalid_grant")
        server.clock_ahead_s = -7200
        gcs.key_file(server)
        said({"GOOGLE_APPLICATION_CREDENTIALS": str(server.tmp / "key.json")}, "7200 s ahead of the server's",
             "Invalid JWT")


def test_a_statement_is_sent_to_nobody_else_than_a_look_at_the_url_promises():
    with gcs.serve(auth=True) as server:
        elsewhere = server.url.split("://")[1]
        asked = server.count("token")
        for url in (f"http://localhost:1@{elsewhere}/token", f"http://127.0.0.1:1@{elsewhere}/token",
                    f"http://127.0.0.1@{elsewhere}/token", f"https://user:pSECRET@{elsewhere}/token",
                    "http://localhost.example.com/token", "ftp://localhost/token", "//localhost/token"):
            path = gcs.key_file(server, token_uri=url)
            said = opens(server, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)})
            assert said.failed and said.code == -5 and "SECRET" not in said.line, (url, said)
            cli.says(said.words, "token_uri", "https://")
        assert server.count("token") == asked and not server.steps


def test_credentials_come_through_a_pipe():
    with gcs.serve(auth=True) as server:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as file:
            file.write(gcs.key_file(server).read_bytes())
        env = {**gcs.proxy_environment(server), "GOOGLE_APPLICATION_CREDENTIALS": f"/dev/fd/{reader}"}
        done = subprocess.run([store_tool.TOOL, "gs://bucket-1/p", "3000", "open"], env={**store_tool.CLEAN, **env},
                              pass_fds=[reader], stdout=subprocess.PIPE, text=True)
        os.close(reader)
        assert done.stdout.startswith("ok "), done


def test_no_credentials_at_all_are_told_apart_from_wrong_ones():
    with cli.scratch() as tmp:
        said = store_tool.put({"HOME": str(tmp), "GCE_METADATA_HOST": ""}, "gs://bucket-1/p", "a.zip", b"x")
        assert said.failed, said
        cli.says(said.words, "GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login", "metadata")


# ---- what is wrong with the destination ----

def test_bad_destinations_are_refused_before_anything_is_asked():
    with gcs.serve() as server:
        for url in ("gs://", "gs:///x", "gs://ab", "gs://Bucket/x", "gs://bucket_/x", "gs://-bucket/x",
                    "gs://b..ucket/x", "gs://buc ket/x", "gs://bucket?x=1/y", "gs://buck%65t/x", "gs://user@bucket/x",
                    f"gs://{'b' * 223}",
                    "gs://bucket-1//x", "gs://bucket-1/a/../b", "gs://bucket-1/./a", "gs://bucket-1/a\nb",
                    "gs://bucket-1/a\x7fb", f"gs://bucket-1/{'a' * 900}", b"gs://bucket-1/\xff"):
            said = store_tool.run(gcs.plain_environment(server), os.fsdecode(url), "open")
            assert said.failed and said.code == -5, (url, said)
        assert not server.steps


def test_prefixes_that_need_escaping_hold_what_was_put_there():
    for prefix in ("a", "a b", "ü/日割り", "100%", "a%2Fb", "q?x=1&y=2#z", "+;:@=", "[*]", "a'b\"c", "\\", "..a/b..",
                   "~"):
        with gcs.serve() as server, cli.scratch() as tmp:
            url = f"gs://bucket-1/{prefix}/"
            assert store_tool.put(gcs.plain_environment(server), url, "x=1.zip", b"data").ok, server.problems
            assert list(server.objects) == [f"{prefix}/x=1.zip"]
            server.put(f"{prefix}/deeper/x.zip", b"")
            listed = store_tool.run(gcs.plain_environment(server), url, "list")
            assert listed.ok and [line.split()[0] for line in listed.lines] == ["x=1.zip"], listed
            for span, n in ((("x=1.zip", "x=1.zip"), 1), (("x",), 1), (("x=1.zipper",), 0), (("", "x=1"), 0)):
                part = store_tool.run(gcs.plain_environment(server), url, "list", *span)
                assert part.ok and len(part.lines) == n, (span, part)
            assert store_tool.run(gcs.plain_environment(server), url, "get", "x=1.zip", tmp / "got").ok
            assert (tmp / "got").read_bytes() == b"data"
            assert store_tool.run(gcs.plain_environment(server), url, "delete", "x=1.zip", 5).changed
            assert store_tool.run(gcs.plain_environment(server), url, "delete", "x=1.zip", -1).ok
            assert not server.problems, server.problems


def test_no_such_bucket_and_no_permission_end_enqueue_and_worker_with_words():
    with batch_world(auth=True) as (server, batch):
        wrong = batch.hiwari("enqueue", "x", "--spec", batch.spec, "--snapshot", batch.snapshot, "--dest",
                             "gs://bucket-2/x", code=None)
        assert wrong.returncode == 73, wrong
        cli.says(wrong.stderr, "gs://bucket-2/x", "bucket does not exist", "another destination")
        batch.enqueue("--limit", 5)
        server.forbidden = True
        refused = batch.hiwari("reconcile", batch.name, "--dest", DEST, code=73).stderr
        cli.says(refused, "HTTP 403", "storage.objects.create", "Storage Object User")
        worker = batch.worker()
        worker.wait(73)
        cli.says(worker.text(), "HTTP 403", "Storage Object User")
        status = batch.status()
        assert (status["leased"], status["failed"], status["attempts"]) == (0, 0, 0), status
        server.forbidden = False
        batch.finish()
        assert batch.status()["done"] == 5


def test_a_service_that_is_not_there_is_unreachable():
    with cli.scratch() as tmp, cli.redis() as redis:
        env = {**store_tool.CLEAN, "STORAGE_EMULATOR_HOST": "127.0.0.1:1", "HIWARI_REDIS": redis}
        said = store_tool.run(env, "gs://bucket-1/x", "list", "", patience_ms=1500)
        assert said.failed and said.code == -2, said
        cli.says(said.words, "127.0.0.1", "attempt")
        for wrong in ("ftp://x", "ftp://u:pSECRET@x", "file:///etc/passwd"):
            said = store_tool.run({**env, "STORAGE_EMULATOR_HOST": wrong}, "gs://bucket-1/x", "list", "")
            assert said.failed and said.code == -5 and "SECRET" not in said.line, said
            cli.says(said.words, "STORAGE_EMULATOR_HOST")


def test_a_certificate_of_an_unknown_authority_is_refused():
    with gcs.serve(auth=True) as server:
        env = {"GOOGLE_APPLICATION_CREDENTIALS": str(gcs.key_file(server)), "CURL_CA_BUNDLE": ""}
        said = opens(server, env)
        assert said.failed and server.count("put") == 0, said
        cli.says(said.words, "certificate", "CURL_CA_BUNDLE")
        for variable in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
            said = opens(server, {**env, variable: "/nonexistent/authorities"})
            assert said.failed and said.code == -5 and server.count("put") == 0, said
            cli.says(said.words, f"{variable} is /nonexistent/authorities, which cannot be read: No such file")


# ---- secrets ----

SECRET = re.compile(r"ya29\.[^[]|upload-secret|-----BEGIN|GOCSPX|1//refresh|subject\.token|eyJ[A-Za-z0-9]{20}|S{10}")


def cmdlines():
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if "hiwari" in words or "store_tool" in words:
                found.append(words)
    return found


def test_secrets_are_in_no_log_error_url_or_process_list():
    seen, texts = [], []
    with batch_world(auth=True) as (server, batch):
        stop = threading.Event()

        def watch():
            while not stop.wait(0.02):
                seen.extend(cmdlines())
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            echo = lambda step, number: (gcs.status(403, f"no access for {sorted(server.tokens)}", kind="text/plain")
                                         if step == "put" and number > 8 else None)
            texts.append(batch.enqueue("--limit", 30, code=None))
            server.rule = echo
            worker = batch.worker()
            worker.wait(73)
            server.rule = None
            server.misbehave("put", server.count("put"), gcs.status(401, "Invalid Credentials"))
            batch.finish()
            gcs.user_file(server, server.tmp / "user.json", refresh_token="1//refresh-token-of-another")
            for path in (server.tmp / "user.json", gcs.external_file(server, audience="wrong")):
                env = {**batch.environment, "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
                texts.append(cli.run("run", "--snapshot", batch.snapshot, "--spec", batch.spec, "--dest", DEST, env=env,
                                     code=78))
            large = random.Random(3).randbytes(9 << 20)
            for fault in (gcs.status(403), gcs.status(503), gcs.refuse()):
                server.misbehave("piece", server.count("piece"), fault, times=200)
                texts.append(opens_large(server, large))
                server.plan.clear()
        finally:
            stop.set()
            watcher.join()
        text = batch.all_logs() + "".join(t if isinstance(t, str) else t.stdout + t.stderr for t in texts)
        kept = "".join(found.data.decode() for name, found in server.objects.items() if not name.endswith(".zip"))
        assert seen and "HTTP 403" in text and "refused" in text
        for where, what in (("logs and errors", text), ("the process list", "".join(seen)), ("the destination", kept),
                            ("Redis", batch.redis_cli("--scan") + batch.redis_cli("GET", "x"))):
            found = SECRET.search(what)
            assert not found, f"in {where}: {what[max(0, found.start() - 200):found.end() + 50]}"
        assert not server.problems, server.problems


def opens_large(server, data):
    environment = {**gcs.proxy_environment(server), "GOOGLE_APPLICATION_CREDENTIALS": str(gcs.key_file(server))}
    said = store_tool.put(environment, "gs://bucket-1/p", "large.zip", data)
    assert said.failed, said
    return said.line + said.stderr


if __name__ == "__main__":
    tap.main()
