# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""webhook.py - a webhook like Slack's, which keeps what it is told and can misbehave.

    with webhook.serve() as hook:
        ... hiwari enqueue --notify hook.url ...
        hook.wait_for(1)
        assert hook.texts == ["…"] and not hook.problems

`answer` is a status, or "stall" (no answer until the end), "close" (none at all), "garbage" (not HTTP), "endless"
(a body without an end).
"""
import contextlib
import http.server
import json
import threading

import cli

SECRET = "T0SECRET/B0SECRET/s3cr3t-t0k3n"


class Hook:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/services/{SECRET}"
        self.answer = 200
        self.texts = []  # of messages that were accepted
        self.asked = 0  # requests that came
        self.problems = []
        self.over = threading.Event()

    def wait_for(self, n, what="messages"):
        cli.wait_until(lambda: len(self.texts) >= n, f"{n} {what} have come: {self.texts}")

    def about(self, word):
        return [text for text in self.texts if word in text]


def handler(hook):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def check(self, body):
            message = json.loads(body)
            if list(message) != ["text"] or not message["text"] or len(message["text"]) > 4000:
                hook.problems.append(f"not a message: {message}")
            if self.path != f"/services/{SECRET}":
                hook.problems.append(f"path {self.path}")
            if not self.headers["Content-Type"].startswith("application/json"):
                hook.problems.append(f"type {self.headers['Content-Type']}")
            return message["text"]

        def reply(self, status, body=b"ok"):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            text = self.check(self.rfile.read(int(self.headers["Content-Length"])))
            hook.asked += 1
            self.close_connection = True
            if hook.answer == "stall":
                hook.over.wait(120)
            elif hook.answer == "garbage":
                self.wfile.write(b"\x00\x01 220 mail.example.org ready\r\n")
            elif hook.answer == "endless":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                with contextlib.suppress(OSError):
                    while not hook.over.is_set():
                        self.wfile.write(b"x" * 65536)
            elif hook.answer != "close":
                self.reply(hook.answer, b"ok" if hook.answer == 200 else b"no_service")
                if hook.answer == 200:
                    hook.texts.append(text)

    return Handler


@contextlib.contextmanager
def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.daemon_threads = True
    hook = Hook(server.server_address[1])
    server.RequestHandlerClass = handler(hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hook
        assert not hook.problems, hook.problems
    finally:
        hook.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
