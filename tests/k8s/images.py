#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""images.py DIR - DIR/hiwari.tar and DIR/redis.tar, archives for a node that reaches no registry.

hiwari's image is that of k8s/Containerfile on a Debian that debootstrap makes. Redis is Debian 13's, under the name that
k8s/base/redis.yaml asks for: another version, the same configuration, users and probes.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import container
import tap

REDIS = """FROM localhost/base
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server && rm -rf /var/lib/apt/lists
"""


def name_in_manifests():
    words = (cli.ROOT / "k8s/base/redis.yaml").read_text().split()
    return next(after for word, after in zip(words, words[1:]) if word == "image:")


def main(directory):
    engine = container.Engine(os.environ.get("HIWARI_CONTAINERS", directory / "containers"))
    engine.base()
    engine.build()
    recipe = directory / "redis"
    recipe.mkdir(exist_ok=True)
    (recipe / "Containerfile").write_text(REDIS)
    engine.podman("build", "--network", "host", "--pull=never", "-t", "localhost/redis", recipe)
    for local, name, archive in [("localhost/hiwari", "hiwari:0.1.0", "hiwari.tar"),
                                 ("localhost/redis", name_in_manifests(), "redis.tar")]:
        (directory / archive).unlink(missing_ok=True)
        engine.podman("tag", local, f"docker.io/library/{name}")
        engine.podman("save", "-o", directory / archive, f"docker.io/library/{name}")


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]).resolve())
    except tap.Skip as reason:
        sys.exit(f"images: {reason}")
