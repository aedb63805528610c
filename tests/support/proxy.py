# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""proxy.py - stands between a program and its server, and makes the network fail on request.

    with proxy.Proxy(server_path) as wire:          # or Proxy((host, port)); listens on a unix socket or on tcp
        batch.redis = wire.url
        wire.cut_after("to_client", 17)             # byte 17 of the answers is the last that passes, once
        wire.delay(0.2)                             # each piece of data waits so long
        wire.blackhole(True)                        # connections stand, new ones too, and nothing passes
        wire.refuse(True)                           # whoever connects is hung up on
        wire.cut_all()                              # every present connection ends now
        wire.target = other_path                    # where the next connections go

Bytes pass in order or not at all, as with TCP. Everything may be changed at any moment, from any thread. Threads, two
per connection, because tests have few connections and a thread that blocks is easily read.
"""
import os
import pathlib
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time

DIRECTIONS = ("to_server", "to_client")
CHUNK = 65536


class Connection:
    """A client's socket, and the one to the server that belongs to it."""

    def __init__(self, client, server):
        self.client, self.server = client, server

    def cut(self, reset=False):
        """End both sides. reset: with RST, so that what was not read yet is lost for the reader too."""
        for end in (self.client, self.server):
            try:
                if reset and end.family == socket.AF_INET:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it had ended by itself


class Proxy:
    def __init__(self, target, tcp=False):
        """target: the path of a unix socket, or (host, port). tcp: listen on a free port of 127.0.0.1."""
        self.target = target
        self.accepted = 0  # connections so far
        self.cuts = 0  # by cut_after
        self.passed = dict.fromkeys(DIRECTIONS, 0)  # bytes, since the last reset_count or cut_after
        self._lock = threading.Condition()
        self._connections = set()
        self._limit = dict.fromkeys(DIRECTIONS)
        self._delay = 0
        self._blackhole = self._refuse = self._closed = False
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="hiwari-proxy-"))
        self._listener = self._listen(tcp)
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _listen(self, tcp):
        if tcp:
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.address = listener.getsockname()
            self.url = f"redis://127.0.0.1:{self.address[1]}"
            return listener
        self.address = str(self._directory / "s")
        self.url = f"unix://{self.address}"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.address)
        listener.listen(128)
        return listener

    # ---- what a test says ----

    def cut_after(self, direction, n):
        """Pass n more bytes that way, over all connections together; then cut the connection that has the next one.
        It happens once; self.cuts counts it."""
        with self._lock:
            self.passed[direction] = 0
            self._limit[direction] = n

    def reset_count(self):
        """Count the passing bytes anew, and cut no more."""
        with self._lock:
            self.passed = dict.fromkeys(DIRECTIONS, 0)
            self._limit = dict.fromkeys(DIRECTIONS)

    def delay(self, seconds):
        self._delay = seconds

    def blackhole(self, on):
        """What was sent meanwhile passes afterwards, as TCP sends it again."""
        with self._lock:
            self._blackhole = on
            self._lock.notify_all()

    def refuse(self, on):
        """Present connections end too."""
        self._refuse = on
        if on:
            self.cut_all()

    def cut_all(self, reset=False):
        for connection in self._present():
            connection.cut(reset)

    def close(self):
        self._closed = True
        self.blackhole(False)
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave accept waiting, and a last client let in
        self._acceptor.join(5)
        assert not self._acceptor.is_alive(), "the proxy still accepts"
        self._listener.close()
        self.cut_all()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- what it does ----

    def _present(self):
        with self._lock:
            return list(self._connections)

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            with self._lock:
                self.accepted += 1
            if self._refuse:
                client.close()
            else:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _connect(self):
        target = self.target
        if not isinstance(target, (str, os.PathLike)):
            return socket.create_connection(target)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(target))
        except OSError:
            server.close()
            raise
        return server

    def _serve(self, client):
        self._wait_for_light()
        try:
            server = self._connect()
        except OSError:
            client.close()  # the server is away: so is this connection
            return
        connection = Connection(client, server)
        with self._lock:
            self._connections.add(connection)
        answers = threading.Thread(target=self._pump, args=(connection, "to_client", server, client), daemon=True)
        answers.start()
        self._pump(connection, "to_server", client, server)
        answers.join()
        with self._lock:
            self._connections.discard(connection)
        client.close()
        server.close()

    def _wait_for_light(self):
        with self._lock:
            while self._blackhole:
                self._lock.wait()

    def _allowed(self, direction, size):
        """How many of so many bytes may pass, and whether the connection is cut behind them."""
        with self._lock:
            limit = self._limit[direction]
            if limit is None or self.passed[direction] + size <= limit:
                self.passed[direction] += size
                return size, False
            size = limit - self.passed[direction]
            self.passed[direction] = limit
            self._limit[direction] = None
            self.cuts += 1
            return size, True

    def _pump(self, connection, direction, source, sink):
        try:
            while data := source.recv(CHUNK):
                self._wait_for_light()
                if self._delay:
                    time.sleep(self._delay)
                size, cut = self._allowed(direction, len(data))
                sink.sendall(data[:size])
                if cut:
                    break
        except OSError:
            pass  # one side has ended
        connection.cut()


def main(target):
    """For tests in other languages: commands on standard input, an answer to each on standard output."""
    proxy = Proxy(target)
    print(proxy.address, flush=True)
    for line in sys.stdin:
        verb, *words = line.split()
        if verb == "cut":
            proxy.cut_after(words[0], int(words[1]))
        elif verb == "reset":
            proxy.reset_count()
        print(proxy.cuts, *(proxy.passed[d] for d in DIRECTIONS), flush=True)
    proxy.close()


if __name__ == "__main__":
    main(sys.argv[1])
