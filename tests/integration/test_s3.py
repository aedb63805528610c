#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""s3://: against OpenStack Swift, which checks signatures and knows no conditional writes; and against a scripted
server that honours or ignores them."""
import atexit
import contextlib
import functools
import hashlib
import io
import json
import os
import pathlib
import sys
import zipfile
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import gcs_server as faults
import s3_server
import store_tool
import swift_server
import tap
import test_gcs
import test_gcs_faults
import test_push_pull

SMALL = b"some bytes " * 300


@functools.cache
def swift():
    """One Swift for all tests of this file."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    server = stack.enter_context(swift_server.serve())
    server.make_bucket("results")
    return server


def names_in(server, prefix):
    """What the server itself lists, page after page."""
    names, token = [], ""
    while True:
        query = (f"continuation-token={token}&" if token else "") + "list-type=2"
        body = server.request("GET", "/results", query)[2].decode()
        names += [part.split("<", 1)[0] for part in body.split("<Key>")[1:]]
        if "<IsTruncated>true" not in body:
            return [n.removeprefix(prefix) for n in names if n.startswith(prefix)]
        token = body.split("<NextContinuationToken>")[1].split("<")[0].replace("=", "%3D").replace("/", "%2F")


class S3Batch(test_gcs.GcsBatch):
    dest_url = "s3://results/f"

    def enqueue(self, *more, **options):
        return self.hiwari("enqueue", self.name, "--spec", self.spec, "--snapshot", self.snapshot, "--dest",
                           self.dest_url, *more, **options)


@contextlib.contextmanager
def batch_on(server, environment, dest):
    with cli.scratch() as tmp, cli.redis() as redis:
        batch = S3Batch(server, tmp, redis, cli.football_snapshot(tmp), {**store_tool.CLEAN, **environment})
        batch.dest_url = dest
        try:
            yield batch
        finally:
            for worker in batch.workers:
                worker.kill()


# ---- Swift ----

def test_a_whole_batch_on_swift_listed_by_pages_and_with_the_bytes_of_a_local_one():
    server = swift()
    environment = {**store_tool.CLEAN, **server.environment()}
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        cli.football_run(snapshot, tmp / "local", "--limit", 130)
        said = cli.football_run(snapshot, "s3://results/whole/a b+ü", "--limit", 130, env=environment)
        cli.says(said.stderr, "does not honour conditional writes")
        prefix = "whole/a b+ü/"
        there = names_in(server, prefix)
        local = sorted(p.name for p in (tmp / "local").glob("*.zip"))
        assert [n for n in there if n.endswith(".zip")] == local and len(local) == 130
        for name in local[::15]:
            status, headers, body = server.request("GET", f"/results/{prefix}{name}")
            assert status == 200 and body == (tmp / "local" / name).read_bytes()
            assert headers["Content-Type"] == "application/zip"
            comment = zipfile.ZipFile(io.BytesIO(body)).comment
            pieces = [headers.get(f"x-amz-meta-hiwari-result-{i}", "") for i in range(1, 7)]
            assert json.loads("".join(pieces)) == json.loads(comment), pieces
        again = cli.football_run(snapshot, "s3://results/whole/a b+ü", "--limit", 130, env=environment)
        cli.says(again.stdout, "130")
        assert not [n for n in names_in(server, prefix) if n.startswith("_probe")]


def test_the_batch_records_that_writes_are_unconditional_and_replacing_is_refused():
    server = swift()
    with batch_on(server, server.environment(), "s3://results/recorded") as batch:
        cli.says(batch.enqueue("--limit", 12).stderr, "does not honour conditional writes")
        found = json.loads(server.request("GET", "/results/recorded/_batch.json")[2])
        assert found["conditional_writes"] is False and found["dest"] == f"s3+{server.url}/results/recorded"
        batch.environment = {**store_tool.CLEAN, **server.environment(endpoint=False)}  # a worker knows from the batch
        batch.finish()
        assert batch.status()["done"] == 12
        batch.environment = {**store_tool.CLEAN, **server.environment()}
        refused = batch.enqueue("--limit", 12, "--format", "npz", "--replace-stale", code=78).stderr
        cli.says(refused, "conditional writes", "--replace-stale is refused", "another destination")
        refused = batch.hiwari("reconcile", batch.name, "--replace-stale", code=78).stderr
        cli.says(refused, "--replace-stale is refused")
        batch.redis_cli("FLUSHALL")
        victim = [n for n in names_in(server, "recorded/") if n.endswith(".zip")][5]
        server.request("DELETE", f"/results/recorded/{victim}")
        batch.hiwari("reconcile", batch.name, "--dest", "s3://results/recorded")
        batch.finish()
        assert victim in names_in(server, "recorded/")


def test_an_endpoint_is_given_by_option_environment_or_record():
    server = swift()
    with batch_on(server, server.environment(endpoint=False), "s3://results/given") as batch:
        batch.enqueue("--limit", 2, "--endpoint", server.url)
        batch.finish()
        assert len(names_in(server, "given/")) == 6
        what = ("run", "--snapshot", batch.snapshot, "--spec", batch.spec, "--limit", 2, "--dest")
        cli.run(*what, "s3://results/given2", "--endpoint", server.url + "/", env=batch.environment)
        cli.run(*what, f"s3+{server.url}/results/given3", env=batch.environment)
        assert len(names_in(server, "given2/")) == 6 == len(names_in(server, "given3/"))
        wrong = cli.run(*what, "s3://results/x", "--endpoint", "127.0.0.1:80", env=batch.environment, code=78)
        cli.says(wrong.stderr, "endpoint", "http://")


def test_collect_push_and_pull_on_swift_with_the_endpoint_as_an_option():
    server = swift()
    environment = {**store_tool.CLEAN, **server.environment(endpoint=False)}
    endpoint = ("--endpoint", server.url)
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        what = ("run", "--snapshot", snapshot, "--spec", cli.FOOTBALL / "spec.json", "--limit", 20, "--dest")
        cli.run(*what, "s3://results/collected", *endpoint, env=environment)
        cli.run(*what, tmp / "local")
        cli.run("collect", "--dest", "s3://results/collected", "--out", tmp / "far.csv", *endpoint, env=environment)
        cli.run("collect", "--dest", tmp / "local", "--out", tmp / "near.csv")
        assert (tmp / "far.csv").read_bytes() == (tmp / "near.csv").read_bytes()
        cli.run("snapshot", "push", snapshot, "s3://results/snapshots/football", *endpoint, env=environment)
        cli.run("snapshot", "pull", "s3://results/snapshots/football", tmp / "pulled", *endpoint, env=environment)
        cli.run("snapshot", "verify", tmp / "pulled")


def test_operations_and_refusals_on_swift():
    server = swift()
    environment = server.environment()
    for prefix in ("plain", "a b", "ü/日割り", "100%&+=~'()!*", "q?x=1#z;:@$,[]"):
        url = f"s3://results/{prefix}"
        with cli.scratch() as tmp:
            for name, data in (("x=1.zip", SMALL), ("empty", b""), ("large", SMALL * 3000)):
                assert store_tool.put(environment, url, name, data, 0, '{"a":"b"}').ok
                assert store_tool.put(environment, url, name, data).changed
                assert store_tool.run(environment, url, "get", name, tmp / "got").ok
                assert (tmp / "got").read_bytes() == data
            listed = store_tool.run(environment, url, "list", "")
            assert [line.split()[:2] for line in listed.lines] == [
                ["empty", "0"], ["large", str(len(SMALL) * 3000)], ["x=1.zip", str(len(SMALL))]]
            for span, names in ((("large",), ["large", "x=1.zip"]), (("", "large"), ["empty", "large"]),
                                (("large", "large"), ["large"]), (("larger", "x"), [])):
                part = store_tool.run(environment, url, "list", *span)
                assert part.ok and [line.split()[0] for line in part.lines] == names, (span, part)
            for args, data in (((7,), SMALL[-7:]), ((5, 10), SMALL[5:15]), ((10**6, 10), b""), ((10**9,), SMALL)):
                assert store_tool.run(environment, url, "get", "x=1.zip", tmp / "got", *args).ok
                assert (tmp / "got").read_bytes() == data, args
            generation = int(listed.lines[2].split()[2])
            assert store_tool.put(environment, url, "x=1.zip", b"new", generation + 1).changed
            assert store_tool.put(environment, url, "x=1.zip", b"new", generation).ok
            assert store_tool.run(environment, url, "delete", "x=1.zip", generation).changed
            assert store_tool.run(environment, url, "delete", "x=1.zip", -1).ok
            assert store_tool.run(environment, url, "get", "x=1.zip", tmp / "got").absent
    cases = (({"AWS_SECRET_ACCESS_KEY": "wrong"}, "s3://results/x", ("403", "SignatureDoesNotMatch", "keys")),
             ({"AWS_ACCESS_KEY_ID": "nobody"}, "s3://results/x", ("403",)),
             ({"AWS_REGION": "mars-1"}, "s3://results/x", ("HTTP 40", "region")),
             ({}, "s3://nowhere/x", ("NoSuchBucket", "another destination")))
    for change, url, words in cases:
        said = store_tool.run({**environment, **change}, url, "list", "")
        assert said.failed, said
        cli.says(said.words, *words)
        assert store_tool.put({**environment, **change}, url, "a", b"x").failed
    assert store_tool.put({**environment, "AWS_SESSION_TOKEN": "to/ken+of=="}, "s3://results/session", "a", b"x").ok


# ---- keys ----

def test_keys_come_from_the_environment_or_a_profile_in_the_shared_files():
    with s3_server.serve() as server:
        def said(environment):
            server.objects.clear()
            return store_tool.put({"HOME": str(server.tmp), "AWS_ENDPOINT_URL_S3": server.url, **environment},
                                  "s3://bucket-1/p", "a.zip", SMALL)
        keys = "aws_access_key_id = id\naws_secret_access_key={}\n".format(s3_server.SECRET)
        none = said({})
        assert none.failed and none.code == -5
        cli.says(none.words, "AWS_ACCESS_KEY_ID", "profile default", ".aws/credentials")
        folder = server.tmp / ".aws"
        folder.mkdir()
        (folder / "credentials").write_text(f"# keys\n[other]\n{keys}\n[default]\naws_access_key_id = wrong\n")
        assert said({"AWS_PROFILE": "other"}).ok
        cli.says(said({"AWS_PROFILE": "absent"}).words, "profile absent")
        (folder / "credentials").write_text(f"[default]\n{keys}")
        assert said({}).ok
        (folder / "credentials").rename(server.tmp / "elsewhere")
        assert said({"AWS_SHARED_CREDENTIALS_FILE": str(server.tmp / "elsewhere")}).ok
        (folder / "config").write_text(f"[profile work]\nregion = eu-north-1\n{keys}aws_session_token = t\n")
        assert said({"AWS_PROFILE": "work"}).ok
        assert "/eu-north-1/s3/" in server.last_authorization
        assert said({"AWS_PROFILE": "work", "AWS_REGION": "eu-west-3"}).ok
        assert "/eu-west-3/s3/" in server.last_authorization
        assert said({"AWS_ACCESS_KEY_ID": "i d", "AWS_SECRET_ACCESS_KEY": "x"}).failed
        assert not server.problems, server.problems


def test_keys_that_are_not_found_are_missed_where_they_were_looked_for():
    with s3_server.serve() as server:
        def said(environment, *words):
            got = store_tool.run({"HOME": str(server.tmp), "AWS_ENDPOINT_URL": server.url, **environment},
                                 "s3://bucket-1/p", "open")
            assert got.failed and got.code == -5, got
            cli.says(got.words, "no keys for S3", *words)
            assert s3_server.SECRET not in got.line
        file = server.tmp / ".aws/credentials"
        said({"AWS_ACCESS_KEY_ID": "id"}, "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not", "no file", str(file))
        said({"AWS_SECRET_ACCESS_KEY": s3_server.SECRET}, "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not")
        file.mkdir(parents=True)
        said({}, f"cannot read {file}: Is a directory", "are not set")
        file.rmdir()
        file.write_text(f"[default]\naws_secret_access_key = {s3_server.SECRET}\n")
        said({}, f"the profile default in {file} has not both of them")
        if os.getuid() == 0:
            said({"AWS_SHARED_CREDENTIALS_FILE": "/dev/zero"}, "/dev/zero has more than 1048576 bytes")
        (server.tmp / ".aws/config").mkdir()
        said({}, f"cannot read {server.tmp}/.aws/config: Is a directory")
        assert not server.steps


# ---- conditional writes ----

def probe(server):
    return store_tool.run(s3_server.environment(server), "s3://bucket-1/p", "probe")


def test_the_probe_tells_servers_apart_and_leaves_nothing():
    for conditional in ("honoured", "ignored", "501"):
        with s3_server.serve(conditional) as server:
            said = probe(server)
            assert (said.ok, said.unconditional) == (conditional == "honoured", conditional != "honoured"), said
            assert not server.objects and not server.problems


def test_where_writes_are_conditional_nothing_is_overwritten_and_stale_results_are_replaced():
    with s3_server.serve() as server:
        with batch_on(server, s3_server.environment(server), "s3://bucket-1/features") as batch:
            said = batch.enqueue("--limit", 20)
            assert "conditional" not in said.stderr
            key = json.loads(server.objects["features/_batch.json"].data)
            assert key["conditional_writes"] is True
            victim = key["keys"]["list"][4]
            server.put(f"features/{victim}.zip", b"PK another")
            batch.finish()
            assert server.objects[f"features/{victim}.zip"].data == b"PK another"
            cli.says(batch.status()["failures"][0]["error"], "another result is there")
            batch.hiwari("reconcile", batch.name, "--replace-stale", "--include-failed")
            batch.finish()
            assert batch.status()["failed"] == 0 and len(server.objects[f"features/{victim}.zip"].data) > 100
            assert not server.problems, server.problems


def test_every_fault_at_a_conditional_put_a_read_and_a_listing():
    slow = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    made = {**{f"{code}": lambda code=code: faults.status(code, slow, kind="application/xml") for code in (429, 500, 503)},
            "lose": faults.lose, "refuse": faults.refuse, "cut": lambda: faults.cut(20),
            "after": lambda: faults.after(503), "stall": lambda: faults.stall(30), "nonsense": faults.nonsense}
    test_gcs_faults.each(made.items(), fault_at_put_read_and_list)


def fault_at_put_read_and_list(label, make):
    with s3_server.serve() as server, cli.scratch() as tmp:
        for step in ("put", "get", "list"):
            server.misbehave(step, 0, make())
        environment = s3_server.environment(server)
        said = store_tool.put(environment, "s3://bucket-1/p", "a.zip", SMALL, patience_ms=9000)
        assert said.ok and server.objects["p/a.zip"].data == SMALL and server.writes == ["p/a.zip"], (label, said)
        assert store_tool.run(environment, "s3://bucket-1/p", "get", "a.zip", tmp / "got", patience_ms=9000).ok, label
        assert (tmp / "got").read_bytes() == SMALL
        listed = store_tool.run(environment, "s3://bucket-1/p", "list", "", patience_ms=9000)
        assert len(listed.lines) == 1, (label, listed)
        assert not server.problems, (label, server.problems)


def test_senseless_answers_are_errors_with_words():
    def page(inside, before=""):
        return faults.garbage(f"{before}<ListBucketResult>{inside}</ListBucketResult>".encode())
    elsewhere = {"Location": "http://x.example/"}
    bad = {"empty": faults.status(200, b"", kind="text/plain"),
           "html": faults.status(200, "<html>hotel", kind="text/html"),
           "bomb": page("&a;", '<!DOCTYPE x [<!ENTITY a "aaaa">]>'),
           "cut": faults.garbage(b"<ListBucketResult><Contents><Key>a</Key>"),
           "endless": page("<IsTruncated>true</IsTruncated>"),
           "no etag": page("<Contents><Key>p/a</Key><Size>3</Size></Contents>"),
           "redirect": faults.status(301, "<Error><Code>PermanentRedirect</Code></Error>", elsewhere),
           "403": faults.status(403, "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large"
                                     "</Message></Error>", kind="application/xml")}
    for label, fault in bad.items():
        with s3_server.serve() as server:
            server.clock_ahead_s = -7200
            server.rule = lambda step, number: fault
            said = store_tool.run(s3_server.environment(server), "s3://bucket-1/p", "list", "")
            assert said.failed and len(said.words) > 30, (label, said)
            assert store_tool.put(s3_server.environment(server), "s3://bucket-1/p", "a", SMALL).failed
            if label == "403":
                cli.says(said.words, "RequestTimeTooSkewed", "7200 s ahead of the server's")
            assert all(there.data == SMALL for there in server.objects.values())


def test_pages_are_followed_and_secrets_are_not_in_errors():
    with s3_server.serve() as server:
        server.page = 7
        for i in range(30):
            server.put(f"p/{i:02}&<>.zip" if i == 9 else f"p/{i:02}.zip", SMALL)
        listed = store_tool.run(s3_server.environment(server), "s3://bucket-1/p", "list", "")
        assert len(listed.lines) == 29 and server.count("list") == 5 and not server.problems, server.problems
        part = store_tool.run(s3_server.environment(server), "s3://bucket-1/p", "list", "15.zip", "20.zip")
        assert [line.split()[0] for line in part.lines] == [f"{i}.zip" for i in range(15, 21)], part
        assert server.count("list") == 6, "one page has all of these"
        server.forbidden = "AccessDenied"
        environment = {**s3_server.environment(server), "AWS_SESSION_TOKEN": "session-token"}
        for args in (("list", ""), ("get", "a", "/dev/null")):
            said = store_tool.run(environment, "s3://bucket-1/p", *args)
            cli.says(said.words, "AccessDenied")
            for secret in (s3_server.SECRET, "session-token", "Signature=" + "0"):
                assert secret not in said.line + said.stderr


def test_bad_buckets_and_endpoints_are_refused_before_anything_is_asked():
    with s3_server.serve() as server:
        for url in ("s3://", "s3://ab", "s3://a b/x", "s3://bucket..1/x", "s3://bucket-1//x", "s3://bucket-1/../x",
                    "s3+http://", "s3+http://host:80", "s3+http:///bucket-1/x", "s3+http://ho st/bucket-1/x",
                    "s3+http://user:pSECRET@host/bucket-1/x", "s3+http://user:p/SECRET@host/bucket-1/x",
                    "s3://user:pSECRET@bucket-1/x", "gs://user:pSECRET@bucket-1/x", "gs://user:p/SECRET@bucket-1/x",
                    "s4://user:pSECRET@bucket-1/x"):
            environment = s3_server.environment(server)
            if url.startswith("s3+"):
                del environment["AWS_ENDPOINT_URL"]
            said = store_tool.run(environment, url, "open")
            assert said.failed and said.code == -5 and "SECRET" not in said.line, (url, said)
        for endpoint in ("http://u:pSECRET@127.0.0.1:1", "https://u:p/SECRET@host", "u:pSECRET@host", "http://pSECRET@h"):
            said = store_tool.run({**s3_server.environment(server), "AWS_ENDPOINT_URL": endpoint}, "s3://bucket-1/x", "open")
            assert said.failed and said.code == -5 and "SECRET" not in said.line, (endpoint, said)
            cli.says(said.words, "***@", "cannot be an endpoint")
        assert not server.steps


def test_an_object_larger_than_one_request_is_refused_before_anything_is_sent():
    with s3_server.serve() as server:
        said = store_tool.run(s3_server.environment(server), "s3://bucket-1/p", "hole", "big.npy", (5 << 30) + 1)
        assert said.failed and said.code == -3 and not server.steps, said
        cli.says(said.words, "big.npy has 5368709121 bytes", "5368709120 at most", "gs:// or file://")


def array_header(descr, rows):
    words = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows},), }}"
    return b"\x93NUMPY\x01\x00\x76\x00" + words.ljust(117).encode() + b"\n"


def test_a_snapshot_with_a_file_larger_than_one_request_is_not_pushed():
    with cli.scratch() as tmp, s3_server.serve() as server:
        (tmp / "t.csv").write_text("d,name\n2024-01-01,a\n2024-01-02,b\n")
        cli.run("snapshot", "create", "--csv", f"t={tmp}/t.csv,time=d", "--out", tmp / "s")
        rest, large = 64, tmp / "s/t/name.bytes.npy"
        rows = (5 << 30) + rest
        large.write_bytes(array_header("|u1", rows))
        os.truncate(large, 128 + rows)
        offsets = tmp / "s/t/name.offsets.npy"
        data = bytearray(offsets.read_bytes())
        data[-8:] = rows.to_bytes(8, "little")
        offsets.write_bytes(data)
        document = json.loads((tmp / "s/snapshot.json").read_text())
        next(f for f in document["files"] if f["path"] == "t/name.bytes.npy")["bytes"] = 128 + rows
        (tmp / "s/snapshot.json").write_text(test_push_pull.resealed(document))
        env = {**store_tool.CLEAN, **s3_server.environment(server)}
        said = cli.run("snapshot", "push", tmp / "s", "s3://bucket-1/s", env=env, code=65).stderr
        cli.says(said, "t/name.bytes.npy has 5368709312 bytes", "5368709120 at most", "gs:// or file://")
        assert not server.steps


def test_a_snapshot_in_a_bucket_is_compared_by_its_listing_or_else_read_back():
    for is_md5 in (True, False):
        with cli.scratch() as tmp, s3_server.serve() as server, contextlib.ExitStack() as stack:
            if not is_md5:  # as where a bucket has a key of its own
                stack.enter_context(mock.patch.object(
                    s3_server, "etag", lambda there: f'"{hashlib.sha256(there.data).hexdigest()[:32]}"'))
            env = {**store_tool.CLEAN, **s3_server.environment(server)}
            push = ("snapshot", "push", cli.football_snapshot(tmp), "s3://bucket-1/s")
            files = cli.run_json(*push, env=env)["files"]
            names = sorted(name for name in server.objects if name.endswith(".npy"))
            whole = {name: server.objects[name].data for name in names}
            for name, data in ((names[0], whole[names[0]][:-1] + b"\x01"), (names[1], b"short")):
                server.put(name, data)
            del server.objects[names[2]]
            server.counts.clear()
            done = cli.run_json(*push, env=env)
            assert (done["present"], done["kept_files"]) == (False, files - 3), done
            assert {name: server.objects[name].data for name in names} == whole
            read = server.counts.get("get", 0)
            assert read <= 3 if is_md5 else read >= files - 2, (is_md5, server.counts)
            assert cli.run_json(*push, env=env)["present"] is True and not server.problems, server.problems


if __name__ == "__main__":
    tap.main()
