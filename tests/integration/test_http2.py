#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""gs:// and s3:// over HTTP/2, as nghttpx speaks it: many requests over one connection, the same results as ever, and
HTTP/1.1 where nothing else is offered."""
import contextlib
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import gcs_server as gcs
import http2_front
import s3_server
import store_tool
import tap
import test_gcs

LARGE = random.Random(3).randbytes((17 << 20) + 12345)  # three pieces


@contextlib.contextmanager
def batch_behind(protocols="h2,http/1.1"):
    """A batch whose workers see the scripted server through nghttpx; it is enqueued through it, too."""
    with test_gcs.batch_world() as (server, batch), http2_front.serve(server.port, protocols) as front:
        server.url = front.url  # where upload sessions are said to be
        batch.environment |= {**gcs.plain_environment(server), "CURL_CA_BUNDLE": str(front.authority)}
        yield server, front, batch


def environment(server, front, variable="CURL_CA_BUNDLE"):
    server.url = front.url
    return {**gcs.plain_environment(server), variable: str(front.authority)}


def check_results(server, batch):
    """Each is there once, with the bytes that a folder gets."""
    local = batch.tmp / "local"
    cli.football_run(batch.snapshot, local, "--limit", 200)
    there = test_gcs.zips(server)
    assert sorted(there) == sorted(p.name for p in local.glob("*.zip")) and len(there) == 200
    for name, found in there.items():
        assert found.data == (local / name).read_bytes(), name
    written = [name for name in server.writes if name.endswith(".zip")]
    assert len(written) == len(set(written)) and not server.problems, server.problems


def test_uploads_in_flight_share_one_connection():
    with batch_behind() as (server, front, batch):
        batch.enqueue("--limit", 200)
        front.forget()
        server.delay = 0.03
        batch.finish()
        assert {request.protocol for request in front.requests()} == {"h2"}
        uploads = [request for request in front.requests() if "uploadType=multipart" in request.path]
        assert len(uploads) >= 200 and front.connections() == 1, front.connections()
        assert server.most_together >= 8, f"{server.most_together} at the same time"
        check_results(server, batch)


def test_where_only_http_1_is_offered_uploads_have_a_connection_each():
    with batch_behind("http/1.1") as (server, front, batch):
        batch.enqueue("--limit", 200)
        front.forget()
        server.delay = 0.03
        batch.finish()
        assert {request.protocol for request in front.requests()} == {"http/1.1"}
        assert server.most_together >= 8, f"{server.most_together} at the same time"
        assert 8 <= front.connections() <= 40, front.connections()  # kept alive, not one for each request
        check_results(server, batch)


def test_a_connection_that_is_cut_with_uploads_on_it_loses_and_doubles_nothing():
    with batch_behind() as (server, front, batch):
        batch.enqueue("--limit", 200)
        server.delay = 0.1
        worker = batch.worker()
        try:
            for n in (20, 100):
                cli.wait_until(lambda n=n: front.mend() or server.count("put") > n, f"{n} uploads are under way")
                front.kill()
                front.start()
            cli.wait_until(lambda: front.mend() or worker.process.poll() is not None, "the worker ends")
            worker.wait(0)
        except cli.Unexpected as waited:
            raise cli.Unexpected(f"{server.count('put')} uploads; {front.said()}; {worker.text()}") from waited
        assert batch.status()["failed"] == 0
        check_results(server, batch)


def test_large_objects_go_in_pieces_and_come_back():
    with gcs.serve() as server, http2_front.serve(server.port) as front, cli.scratch() as tmp:
        around = environment(server, front, "SSL_CERT_FILE")
        assert store_tool.put(around, "gs://bucket-1/p", "a.zip", LARGE).ok
        assert store_tool.run(around, "gs://bucket-1/p", "get", "a.zip", tmp / "back").ok
        assert (tmp / "back").read_bytes() == LARGE and not server.problems
        assert {request.protocol for request in front.requests()} == {"h2"}
        assert server.count("piece") >= 3


def test_faults_behind_it_are_recovered_from():
    with gcs.serve() as server, http2_front.serve(server.port) as front:
        around = environment(server, front)
        for number, fault in enumerate((gcs.status(503), gcs.lose(), gcs.refuse(), gcs.cut(40), gcs.after(503))):
            server.misbehave("put", server.count("put"), fault)
            said = store_tool.put(around, "gs://bucket-1/p", f"{number}.zip", b"x" * 5000)
            assert said.ok and server.objects[f"p/{number}.zip"].data == b"x" * 5000, (fault.kind, said)
        assert len(server.writes) == len(set(server.writes)) and not server.problems, server.problems


def test_an_authority_that_is_not_known_is_refused():
    with gcs.serve() as server, http2_front.serve(server.port) as front:
        said = store_tool.put({**gcs.plain_environment(server), "STORAGE_EMULATOR_HOST": front.url}, "gs://bucket-1/p",
                              "a.zip", b"x")
        assert said.failed and not server.steps, said
        cli.says(said.words, "certificate is not trusted", "CURL_CA_BUNDLE")


def test_s3_over_it():
    with s3_server.serve() as server, http2_front.serve(server.port) as front, cli.scratch() as tmp:
        around = {**s3_server.environment(server), "AWS_ENDPOINT_URL": front.url, "CURL_CA_BUNDLE": str(front.authority)}
        url = "s3://bucket-1/p q"
        assert store_tool.put(around, url, "a.zip", b"x" * 5000, 0, "a label").ok
        assert store_tool.put(around, url, "a.zip", b"y").changed
        assert store_tool.run(around, url, "get", "a.zip", tmp / "back").ok
        assert (tmp / "back").read_bytes() == b"x" * 5000
        assert store_tool.run(around, url, "list", "").lines[0].startswith("a.zip 5000 ")
        assert {request.protocol for request in front.requests()} == {"h2"} and not server.problems, server.problems


if __name__ == "__main__":
    tap.main()
