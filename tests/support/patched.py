# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""patched.py - hiwari and hiwari-worker built from a copy of the sources in which a remedy is switched off.

One copy for a program of tests; each patch changes some lines of it, builds what depends on them, and takes them back.
"""
import atexit
import contextlib
import pathlib
import shutil
import subprocess
import tempfile

import cli

_tree = None


def _run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def scratch():
    """A directory that is gone when the program ends."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="hiwari-patched-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _no_source(directory, names):
    """What the programs are not built from."""
    top = pathlib.Path(directory) == cli.ROOT
    return [name for name in names if top and (name in (".git", "tests", "testdata") or name.startswith("build"))]


def _copy():
    """The copied tree, built without any patch."""
    global _tree
    if _tree is None:
        _tree = scratch()
        shutil.copytree(cli.ROOT, _tree, dirs_exist_ok=True, ignore=_no_source)
        _run("meson", "setup", _tree / "build", _tree, "-Dtests=false", "--buildtype=debug")
        _run("ninja", "-C", _tree / "build")
    return _tree


@contextlib.contextmanager
def programs(patches):
    """(hiwari, hiwari-worker) with these patches: {file: [(old text, new text), …]}."""
    tree = _copy()
    before = {name: (tree / name).read_text() for name in patches}
    try:
        for name, pairs in patches.items():
            text = before[name]
            for old, new in pairs:
                assert text.count(old) == 1, f"{name} has {text.count(old)} times: {old}"
                text = text.replace(old, new)
            (tree / name).write_text(text)
        _run("ninja", "-C", tree / "build")
        yield tree / "build/cmd/hiwari/hiwari", tree / "build/cmd/hiwari-worker/hiwari-worker"
    finally:
        for name, text in before.items():
            (tree / name).write_text(text)
