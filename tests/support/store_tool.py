# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""store_tool.py - one operation on a store, by the program of that name."""
import os
import subprocess
import tempfile

import cli

TOOL = cli.BUILD / "tests" / "support" / "store_tool"
CLEAN = {k: v for k, v in os.environ.items()
         if not k.startswith(("AWS_", "GOOGLE_", "GCE_", "CLOUDSDK_", "STORAGE_", "KUBERNETES_", "CURL_CA", "SSL_CERT"))
         and k.lower() not in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")}


class Said:
    """What it said: the last line taken apart, and the lines before it."""

    def __init__(self, done):
        *self.lines, self.line = done.stdout.rstrip("\n").split("\n")
        self.stderr = done.stderr
        self.ok, self.absent, self.changed = (self.line.startswith(w) for w in ("ok ", "absent ", "changed "))
        self.unconditional = self.line.startswith("unconditional ")
        self.failed = self.line.startswith("failed ")
        self.generation = int(self.line.split()[1]) if self.ok else None
        self.code, self.words = 0, ""
        if self.failed:
            self.code, self.words = int(self.line.split()[1][:-1]), self.line.split(": ", 1)[1]

    def __repr__(self):
        return f"{self.line!r} {self.stderr}"


def run(environment, url, *args, patience_ms=3000):
    command = [str(TOOL), url, str(patience_ms), *map(str, args)]
    done = subprocess.run(command, env={**CLEAN, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120)
    if done.returncode != 0:
        raise cli.Unexpected(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return Said(done)


def put(environment, url, name, data, expect=0, *more, **options):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return run(environment, url, "put", name, file.name, expect, *more, **options)
