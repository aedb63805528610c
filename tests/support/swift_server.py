# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""swift_server.py - OpenStack Swift with its S3 interface on one machine, from Debian's packages: a server that nobody
here wrote, and that checks signatures and the hashes of bodies.

    with swift_server.serve() as swift:
        environment = swift.environment()
        swift.make_bucket("results")

It answers 501 to conditional writes. Nothing in /etc is read or changed; everything is in a folder that is removed
afterwards, and the four processes end with the block.
"""
import contextlib
import datetime
import hashlib
import hmac
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import cli
import tap

KEY, SECRET, REGION = "test:tester", "testing", "us-east-1"
PYTHON = "/usr/bin/python3"  # the one that sees Debian's packages
KINDS = ("account", "container", "object")

# patient: an object of which the container did not hear in time would be missing from listings
BACKEND = """
[DEFAULT]
swift_dir = {etc}
devices = {devices}
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
workers = 0
disable_fallocate = true
log_address = /dev/null
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
conn_timeout = 30
node_timeout = 60
container_update_timeout = 60
"""

PROXY = """
[DEFAULT]
swift_dir = {etc}
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
workers = 0
log_address = /dev/null
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 30
node_timeout = 60
error_suppression_interval = 0
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
max_bucket_listing = 100
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
"""
PIPELINE = ("catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo "
            "versioned_writes proxy-server")
PLAIN_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "copy", "slo", "dlo",
                 "versioned_writes")

# swift's own programs insist on /etc/swift/swift.conf
RUN = """
import sys

import eventlet
eventlet.monkey_patch()
import swift.common.utils
swift.common.utils.SWIFT_CONF_FILE = sys.argv[1]
from swift.common import storage_policy
storage_policy.reload_storage_policies()
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(sys.argv[2], sys.argv[3]))
"""


def free_ports(n):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Swift:
    def __init__(self, folder):
        self.folder, self.etc, self.processes = folder, folder / "etc", []
        *self.backend_ports, self.port = free_ports(4)
        self.url = f"http://127.0.0.1:{self.port}"

    def write(self, name, text):
        path = self.etc / name
        path.write_text(text)
        return path

    def configure(self):
        (self.folder / "devices" / "d1").mkdir(parents=True)
        self.etc.mkdir()
        self.write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n"
                                 "[storage-policy:0]\nname = one\ndefault = yes\n")
        self.write("run.py", RUN)
        facts = {"etc": self.etc, "devices": self.folder / "devices", "user": os.environ.get("USER") or "root"}
        for kind, port in zip(KINDS, self.backend_ports):
            builder = self.etc / f"{kind}.builder"
            for words in (("create", "2", "1", "0"), ("add", f"r1z1-127.0.0.1:{port}/d1", "1"), ("rebalance",)):
                subprocess.run(["swift-ring-builder", builder, *words], check=True, stdout=subprocess.DEVNULL)
            self.write(f"{kind}.conf", BACKEND.format(kind=kind, port=port, **facts))
        filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in PLAIN_FILTERS)
        self.write("proxy.conf", PROXY.format(port=self.port, pipeline=PIPELINE, **facts) + filters)

    def start(self):
        for kind in (*KINDS, "proxy"):
            log = open(self.folder / f"{kind}.log", "wb")
            command = [PYTHON, self.etc / "run.py", self.etc / "swift.conf", self.etc / f"{kind}.conf",
                       f"{kind}-server"]
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))
        try:
            cli.wait_until(self.is_up, "Swift answers", seconds=180)
        except cli.Unexpected:
            for path in self.folder.glob("*.log"):
                print("".join(f"# {path.name}: {line}\n" for line in path.read_text().splitlines()[-5:]))
            raise

    def is_up(self):
        """All four: a proxy that finds a backend missing does not ask it again for a minute."""
        if any(process.poll() is not None for process in self.processes):
            raise cli.Unexpected("a part of Swift has ended")
        with contextlib.suppress(OSError):
            for port in self.backend_ports:
                socket.create_connection(("127.0.0.1", port), 5).close()
            return urllib.request.urlopen(f"{self.url}/healthcheck", timeout=5).read() == b"OK"
        return False

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def environment(self, endpoint=True):
        found = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                 "HOME": str(self.folder)}
        return {**found, "AWS_ENDPOINT_URL": self.url} if endpoint else found

    def request(self, method, path, query="", body=b""):
        """A signed request, by hand: (status, headers, body)."""
        path = urllib.parse.quote(path, safe="/-_.~")
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(sorted(headers))
        canonical = "\n".join([method, path, query, *(f"{k}:{headers[k]}" for k in sorted(headers)), "", names, digest])
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{SECRET}".encode()
        for word in (*scope.split("/"), text):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, "
                                    f"Signature={key.hex()}")
        request = urllib.request.Request(f"{self.url}{path}{'?' + query if query else ''}", body or None, headers,
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def make_bucket(self, name):
        cli.wait_until(lambda: self.request("PUT", f"/{name}")[0] == 200, f"Swift makes the bucket {name}")


@contextlib.contextmanager
def serve():
    has_swift = subprocess.run([PYTHON, "-c", "import swift.common.wsgi"], stderr=subprocess.DEVNULL).returncode == 0
    if not has_swift or not shutil.which("swift-ring-builder"):
        raise tap.Skip("OpenStack Swift is not installed (swift-proxy swift-account swift-container swift-object)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hiwari-swift-"))
    swift = Swift(folder)
    try:
        swift.configure()
        swift.start()
        yield swift
    finally:
        swift.stop()
        shutil.rmtree(folder, ignore_errors=True)
