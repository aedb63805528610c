# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""container.py - the image of k8s/Containerfile, built on a Debian that debootstrap made, and containers of it.

Everything is kept below one directory: images, containers and their settings. Skips (tap.Skip) with the reason where no
container engine can run.
"""
import os
import pathlib
import shutil
import signal
import subprocess

import cli
import tap

SUITE = "trixie"
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def _need(condition, reason):
    if not condition:
        raise tap.Skip(reason)


def _sh(*command, **options):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def _mirror():
    done = _sh("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Origin: Debian")
    sites = [s for s in done.stdout.split() if "security" not in s]
    _need(sites, "this is not a Debian")
    return sites[0]


class Engine:
    """podman with a storage of its own."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        _need(os.getuid() == 0, "containers are built by root here")
        for program in ("podman", "runc", "debootstrap"):
            _need(shutil.which(program), f"there is no {program}")
        conf = self.directory / "containers.conf"
        # Limits that are ours already: raising them needs a capability that a container may lack.
        conf.write_text('[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
                        'log_driver = "k8s-file"\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
                        'events_logger = "file"\n')
        self.env = {**os.environ, "CONTAINERS_CONF": str(conf)}
        self.driver = "overlay"
        if self.podman("info", check=False).returncode != 0:  # copies every layer, but works on any file system
            self.driver = "vfs"

    def podman(self, *args, check=True, **options):
        done = _sh("podman", "--root", self.directory / "storage", "--runroot", self.directory / "run", "--storage-driver",
                   self.driver, *args, env=self.env, **options)
        assert not check or done.returncode == 0, f"podman {' '.join(map(str, args))}\n{done.stdout[-3000:]}"
        return done

    def base(self):
        """A minimal Debian as an image, made once."""
        if self.podman("image", "exists", "localhost/base", check=False).returncode == 0:
            return
        root = self.directory / "root"
        shutil.rmtree(root, ignore_errors=True)
        made = _sh("debootstrap", "--variant=minbase", f"--keyring={KEYRING}", SUITE, root, _mirror())
        _need(made.returncode == 0, f"debootstrap of {SUITE} did not succeed: {made.stdout.strip().splitlines()[-1:]}")
        for slim in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt"):
            shutil.rmtree(root / slim, ignore_errors=True)
        (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(
            "".join(f"path-exclude /usr/share/{d}/*\n" for d in ("doc", "man", "locale", "info")))
        tar = self.directory / "base.tar"
        subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-cf", tar, "."], check=True)
        shutil.rmtree(root)
        self.podman("import", tar, "localhost/base")
        tar.unlink()

    def can_run(self):
        done = self.podman("run", "--rm", "--network", "host", "--memory", "64m", "--cpus", "1", "localhost/base",
                           "true", check=False)
        _need(done.returncode == 0, f"no container runs here: {done.stdout.strip()[-300:]}")

    def build(self):
        """localhost/hiwari, from the sources as they are."""
        self.podman("build", "--network", "host", "--pull=never", "--build-arg", "BASE=localhost/base", "-f",
                    cli.ROOT / "k8s/Containerfile", "-t", "localhost/hiwari", cli.ROOT)

    def size(self, image):
        return int(self.podman("image", "inspect", "--format", "{{.Size}}", image).stdout)

    def run(self, *args, volumes, env, cpus="1", memory="512m"):
        """A container as the Job would have it: nothing may be written but what is mounted for it."""
        command = ["run", "--detach", "--network", "host", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all",
                   "--security-opt", "no-new-privileges", "--user", "10001:10001", "--memory", memory, "--cpus", cpus,
                   "--pids-limit", "200"]
        for volume in volumes:
            command += ["--volume", volume]
        for name, value in env.items():
            command += ["--env", f"{name}={value}"]
        return Container(self, self.podman(*command, "localhost/hiwari", *args).stdout.strip().splitlines()[-1])

    def close(self):
        self.podman("rm", "--all", "--force", "--time", "0", check=False)


class Container:
    def __init__(self, engine, name):
        self.engine, self.name = engine, name

    def logs(self):
        return self.engine.podman("logs", self.name, check=False).stdout

    def kill(self, number=signal.SIGKILL):
        self.engine.podman("kill", "--signal", int(number), self.name)

    def running(self):
        return self.engine.podman("inspect", "--format", "{{.State.Running}}", self.name).stdout.strip() == "true"

    def wait(self, seconds=120):
        """Its exit code."""
        return int(self.engine.podman("wait", self.name, timeout=seconds).stdout.strip().splitlines()[-1])

    def inspect(self, what):
        return self.engine.podman("inspect", "--format", what, self.name).stdout.strip()
