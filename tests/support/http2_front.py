# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""http2_front.py - nghttpx (Debian's nghttp2-proxy) with TLS in front of a server of these tests: an HTTP/2 that nobody
here wrote.

    with gcs_server.serve() as server, http2_front.serve(server) as front:
        ... run something with front.environment() ...
        assert front.connections() == 1

Its certificate is for localhost, by an authority of its own.
"""
import collections
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import cli
import gcs_server
import tap

Request = collections.namedtuple("Request", "port protocol status method path")
FORMAT = "$remote_port $alpn $status $method $path"


class Front:
    def __init__(self, tmp, backend_port, protocols):
        self.tmp, self.backend_port, self.protocols = tmp, backend_port, protocols
        self.authority = tmp / "authority.pem"
        self.log = tmp / "access.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        gcs_server.make_authority(tmp)
        gcs_server.make_context(tmp, "localhost")
        self.process = None

    def start(self):
        helped = subprocess.run(["nghttpx", "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
        option = "--alpn-list" if "--alpn-list" in helped else "--npn-list"  # by its version
        command = ["nghttpx", "--conf=/dev/null", "--workers=1", f"--frontend=127.0.0.1,{self.port}",
                   f"--backend=127.0.0.1,{self.backend_port}", f"{option}={self.protocols}",
                   f"--accesslog-file={self.log}", f"--accesslog-format={FORMAT}", "--backend-read-timeout=600",
                   self.tmp / "host-localhost.key", self.tmp / "host-localhost.pem"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(self.tmp / "errors", "ab"),
                                        start_new_session=True)
        cli.wait_until(self.is_up, "nghttpx listens")

    def is_up(self):
        if self.process.poll() is not None:
            raise cli.Unexpected(f"nghttpx has ended: {(self.tmp / 'errors').read_text()[-2000:]}")
        with socket.socket() as client:  # which may by chance be given this very port, and reach itself
            there = ("127.0.0.1", self.port)
            return client.connect_ex(there) == 0 and client.getsockname() != there

    def mend(self):
        """If it has ended by itself, start it anew: one more cut for whoever is connected."""
        if self.process.poll() is not None:
            print(f"# {self.said()}", flush=True)
            self.start()

    def said(self):
        """Whether it still runs, and its last words: for a test that waits in vain."""
        return f"nghttpx's exit code {self.process.poll()}: {(self.tmp / 'errors').read_text()[-2000:]}"

    def kill(self):
        """It and the processes that it has begun."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def requests(self):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [Request(*line.split(" ", 4)) for line in lines if not line.startswith("0 ")]

    def forget(self):
        os.truncate(self.log, 0)

    def connections(self):
        return len({request.port for request in self.requests()})


@contextlib.contextmanager
def serve(port, protocols="h2,http/1.1"):
    """In front of the server at this port. protocols: what it offers, the best first."""
    if not shutil.which("nghttpx"):
        raise tap.Skip("nghttpx is not installed (nghttp2-proxy)")
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="hiwari-http2-"))
    front = Front(tmp, port, protocols)
    try:
        front.start()
        yield front
    finally:
        if front.process:
            front.kill()
        shutil.rmtree(tmp, ignore_errors=True)
