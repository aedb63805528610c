#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""gs://: every fault at every step of every exchange. The object is there once, with the right bytes, or the error
says why."""
import concurrent.futures
import contextlib
import pathlib
import random
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import gcs_server as gcs
import store_tool
import tap

SMALL = random.Random(1).randbytes(3000)
LARGE = random.Random(2).randbytes((17 << 20) + 12345)  # three pieces
AGAIN = [408, 429, 500, 502, 503, 504]
FINAL = [400, 401, 403, 404, 409, 410, 413, 451]
HTML = "<html><head><title>Sign in</title></head><body>Please <b>sign in</b> to the hotel's network</body></html>"

# faults after which the operation must succeed nevertheless
RECOVERED = {
    **{f"status {code}": lambda code=code: gcs.status(code) for code in AGAIN},
    "status 503 with Retry-After": lambda: gcs.status(503, headers={"Retry-After": "1"}),
    "stored, then 503": lambda: gcs.after(503),
    "stall": lambda: gcs.stall(30),
    "no answer": gcs.lose,
    "closed": gcs.refuse,
    "closed in the request": lambda: gcs.early(100),
    "closed before the body": lambda: gcs.early(0),
    "one byte": lambda: gcs.cut(1),
    "half a head": lambda: gcs.cut(30),
    "not HTTP": gcs.nonsense,
    "late": lambda: gcs.late(0.3),
}
# faults after which it may fail, with words
SAID = {
    **{f"status {code}": lambda code=code: gcs.status(code) for code in FINAL},
    "zero bytes": lambda: gcs.status(200, b"", kind="text/plain"),
    "HTML": lambda: gcs.status(200, HTML, kind="text/html"),
    "HTML 403": lambda: gcs.status(403, HTML, kind="text/html"),
    "garbage": gcs.garbage,
    "JSON of another kind": lambda: gcs.garbage(b'{"kind": [1, 2, {"generation": {}}]}'),
    "half JSON": lambda: gcs.garbage(b'{"generation": "17'),
    "redirect": lambda: gcs.status(302, "", {"Location": "https://login.example/?token=secret"}),
    "a huge error": lambda: gcs.status(400, "x y " * 400000, kind="text/plain"),
    "control characters": lambda: gcs.status(400, "a\x1b[31mred\x00\r\n\x07b", kind="text/plain"),
}


def put(server, data, expect=0, name="a.zip"):
    return store_tool.put(gcs.plain_environment(server), "gs://bucket-1/p", name, data, expect)


def check_put(server, said, data, name="p/a.zip"):
    there = server.objects.get(name)
    if said.ok:
        assert there and there.data == data and said.generation == there.generation
    else:
        assert said.failed and len(said.words) > 40, said
        assert "HTTP" in said.words or "attempt" in said.words or "server" in said.words, said
    assert there is None or there.data == data
    assert server.writes.count(name) <= 1, server.writes
    assert not server.problems, server.problems


def each(cases, function):
    """function(case) for all of them, some at the same time; the first that fails is named."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        futures = {pool.submit(function, *case): case for case in cases}
        for future in concurrent.futures.as_completed(futures):
            try:
                future.result()
            except BaseException as error:
                raise cli.Unexpected(f"{futures[future]}: {error}") from error


def fault_at_put(data, step, number, label, make, must, before=None):
    with gcs.serve() as server:
        if before:
            before(server)
        server.misbehave(step, number, make())
        said = put(server, data)
        assert server.count(step) > number, f"there was no {step} {number}: {server.steps}"
        assert said.ok or not must, said
        if not (said.changed and (step, label) == ("stat", "status 404")):  # gone again, as far as can be seen
            check_put(server, said, data)


def test_a_sender_that_dies_in_the_middle_of_a_request_has_asked_nothing():
    with gcs.serve() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"POST /upload/storage/v1/b/bucket-1/o?uploadType=multipart HTTP/1.1\r\n"
                           b"Host: localhost\r\nContent-Length: 100\r\n\r\nhalf")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b""
        assert not server.problems and not server.steps, (server.problems, server.steps)


def test_a_small_upload():
    each([("put", 0, label, make, must) for must, faults in ((True, RECOVERED), (False, SAID))
          for label, make in faults.items()], lambda *case: fault_at_put(SMALL, *case))


def test_the_look_after_an_upload_whose_answer_was_lost():
    def lost(server):
        server.misbehave("put", 0, gcs.lose())
    each([("stat", 0, label, make, must, lost) for must, faults in ((True, RECOVERED), (False, SAID))
          for label, make in faults.items()], lambda *case: fault_at_put(SMALL, *case))


def test_a_large_upload_in_pieces():
    few = ("status 503", "stall", "no answer", "closed in the request", "half a head")
    every = [(step, number, label, make, True) for label, make in RECOVERED.items()
             for step, number in (("session", 0), ("piece", 1), ("piece", 2))
             if label in few or (step, number) != ("piece", 1)]
    said = [(step, number, label, make, False) for label, make in SAID.items()
            for step, number in (("session", 0), ("piece", 2))]
    each(every + said, lambda *case: fault_at_put(LARGE, *case))


def test_the_question_how_far_a_large_upload_has_come():
    def lost(server):
        server.misbehave("piece", 1, gcs.after(503))
    each([("ask", 0, label, make, must, lost) for must, faults in ((True, RECOVERED), (False, SAID))
          for label, make in faults.items() if label in ("status 503", "stall", "no answer", "garbage", "zero bytes",
                                                         "status 404", "status 410", "status 403", "redirect")],
         lambda *case: fault_at_put(LARGE, *case))


def test_a_server_that_keeps_only_a_part_of_a_piece():
    with gcs.serve() as server:
        server.misbehave("piece", 1, gcs.after(503))
        server.rule = lambda step, number: step == "ask" and number == 0 and server.keep_some(0, 9 << 20)
        said = put(server, LARGE)
        assert said.ok, said
        check_put(server, said, LARGE)
        assert server.count("ask") == 1


def test_a_session_that_is_forgotten_is_begun_again():
    with gcs.serve() as server:
        server.misbehave("piece", 1, gcs.status(410))
        said = put(server, LARGE)
        assert said.ok and server.count("session") == 2, (said, server.steps)
        check_put(server, said, LARGE)


def test_what_somebody_else_wrote_is_neither_replaced_nor_taken_for_ours():
    for fault in (None, gcs.lose(), gcs.status(503)):
        with gcs.serve() as server:
            theirs = server.put("p/a.zip", SMALL)  # even with the very same bytes
            if fault:
                server.misbehave("put", 0, fault)
            assert put(server, SMALL).changed
            assert server.objects["p/a.zip"] is theirs and not server.problems


def test_a_certain_generation_is_replaced_once_though_the_answer_is_lost():
    for data in (SMALL, LARGE):
        with gcs.serve() as server:
            old = server.put("p/a.zip", b"old").generation
            server.misbehave("put" if data is SMALL else "piece", 0 if data is SMALL else 2, gcs.lose())
            said = put(server, data, expect=old)
            assert said.ok, said
            check_put(server, said, data)
            assert put(server, b"other", expect=old).changed


def test_bytes_that_change_on_the_way_are_refused_by_the_server():
    with gcs.serve() as server:
        real = server.make
        server.make = lambda description, data: real(description, data[:-1] + b"?")
        said = put(server, SMALL)
        assert said.failed and "CRC32C" in said.words, said
        assert not server.objects


def test_an_answer_about_other_bytes_is_not_believed():
    with gcs.serve() as server:
        real = server.make

        def lies(description, data):
            answer = real(description, data)
            server.objects[description["name"]].crc = "AAAAAA=="
            return gcs.Answer(200, server.objects[description["name"]].resource())
        server.make = lies
        said = put(server, SMALL)
        assert said.failed and "other bytes were stored" in said.words, said


def read_with(fault, step, verb, *args):
    with gcs.serve() as server:
        for i in range(25):
            server.put(f"p/{i:02}.zip", SMALL, metadata={"hiwari-result": f"label {i}"})
        server.page = 10
        server.misbehave(step[0], step[1], fault)
        said = store_tool.run(gcs.plain_environment(server), "gs://bucket-1/p", verb, *args)
        assert server.count(step[0]) > step[1] and not server.problems, server.problems
        return said, server


def read_case(step, label, make, must, verb, args):
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(cli.scratch()) / "got"
        said, server = read_with(make(), step, verb, *(str(out) if a == "OUT" else a for a in args))
        assert said.ok or not must, said
        if not said.ok:
            assert said.absent or said.changed or len(said.words) > 40, said
        elif verb == "get":
            assert out.read_bytes() == SMALL
        elif verb == "list":
            assert [line.split()[0] for line in said.lines] == [f"{i:02}.zip" for i in range(25)]
            assert said.lines[7].endswith("label 7")
        elif verb == "delete" and label != "zero bytes":  # a good answer to this, and here a lie
            assert "p/03.zip" not in server.objects and len(server.objects) == 24


def test_reading_listing_and_deleting():
    steps = [(("get", 0), "get", ("03.zip", "OUT")), (("list", 1), "list", ("",)),
             (("delete", 0), "delete", ("03.zip", -1))]
    each([(step, label, make, must, verb, args) for step, verb, args in steps
          for must, faults in ((True, RECOVERED), (False, SAID)) for label, make in faults.items()], read_case)


def test_a_body_cut_after_every_so_many_bytes_is_read_again():
    with gcs.serve() as server, cli.scratch() as tmp:
        server.put("p/a.zip", SMALL)
        for number, n in enumerate((200, 260, 400, 1000, 3000)):
            server.misbehave("get", 2 * number, gcs.cut(n))
        for _ in range(5):
            said = store_tool.run(gcs.plain_environment(server), "gs://bucket-1/p", "get", "a.zip", tmp / "got")
            assert said.ok and (tmp / "got").read_bytes() == SMALL
        assert server.count("get") == 10


def test_retry_after_is_waited_for_or_ends_the_attempt():
    with gcs.serve() as server:
        server.misbehave("put", 0, gcs.status(429, "slow down", {"Retry-After": "100"}), times=9)
        said = put(server, SMALL)
        assert said.failed and server.count("put") == 1, server.steps
        cli.says(said.words, "HTTP 429", "slow down")


def test_a_server_that_never_recovers_is_asked_until_the_deadline_and_quoted():
    for fault, words in ((gcs.status(503, "We are on holiday"), ("HTTP 503", "on holiday", "attempt")),
                         (gcs.refuse(), ("attempt",))):
        with gcs.serve() as server:
            server.rule = lambda step, number: fault
            said = put(server, SMALL)
            assert said.failed and server.count("put") >= 3, said
            cli.says(said.words, "gs://bucket-1/p/a.zip", *words)


def test_nothing_of_a_huge_or_hostile_answer_reaches_the_terminal():
    for label in ("a huge error", "control characters", "HTML", "redirect"):
        with gcs.serve() as server:
            server.misbehave("put", 0, SAID[label]())
            server.misbehave("stat", 0, SAID[label]())
            said = put(server, SMALL)
            text = said.line
            assert len(text) < 1300 and all(c.isprintable() for c in text), text
            assert "<" not in text and "token=secret" not in text, text


if __name__ == "__main__":
    tap.main()
