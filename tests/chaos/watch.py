# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""watch.py - a second pair of eyes on a destination: every name that a file is given there, as it happens.

The kernel (inotify) tells of each name that appears or goes, in order, whoever does it and however briefly it stands.
So a result that was replaced is seen even where the second has the bytes of the first, and a `_SUCCESS` that stood too
early is seen even when it was taken away again.
"""
import collections
import ctypes
import os
import select
import struct
import threading
import zipfile

IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_MODIFY, IN_Q_OVERFLOW = 0x80, 0x100, 0x200, 0x2, 0x4000
HEAD = struct.Struct("iIII")
LIBC = ctypes.CDLL(None, use_errno=True)


def members(path):
    """What is in a result: names, sizes and checksums of its members."""
    with zipfile.ZipFile(path) as archive:
        return [(m.filename, m.file_size, m.CRC) for m in archive.infolist()]


class Watch:
    def __init__(self, folder, keys):
        """folder must be there already; keys: how many results `_SUCCESS` needs."""
        self.folder, self.keys = folder, keys
        self.named = collections.Counter()  # how often a result was given its name
        self.seen = {}  # key -> the members that it then had
        self.wrong = []  # what must never happen, in words
        self._ignored = set()
        self._fd = LIBC.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        mask = IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MODIFY
        if self._fd < 0 or LIBC.inotify_add_watch(self._fd, os.fsencode(folder), mask) < 0:
            raise OSError(ctypes.get_errno(), "inotify", str(folder))
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ignore(self, key):
        """The test itself will write a result there, and take it away."""
        self._ignored.add(key)
        self.named[key] = 1

    def _run(self):
        while select.select([self._fd], [], [], 0.1)[0] or not self._ended:
            try:
                events = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                continue
            while events:
                _, mask, _, size = HEAD.unpack_from(events)
                name = os.fsdecode(events[HEAD.size:HEAD.size + size].rstrip(b"\0"))
                self._event(mask, name)
                events = events[HEAD.size + size:]

    def _event(self, mask, name):
        if mask & IN_Q_OVERFLOW:
            self.wrong.append("the kernel had more to tell than it kept: something was not seen")
        elif name == "_SUCCESS" and mask & (IN_CREATE | IN_MOVED_TO):
            if len(self.named) < self.keys:
                self.wrong.append(f"_SUCCESS stood when {len(self.named)} of {self.keys} results were there")
        elif name.endswith(".zip") and not name.startswith(".") and name.removesuffix(".zip") not in self._ignored:
            self._result(mask, name.removesuffix(".zip"))

    def _result(self, mask, key):
        if mask & (IN_DELETE | IN_MODIFY):
            self.wrong.append(f"the result of {key} was {'deleted' if mask & IN_DELETE else 'written to in place'}")
            return
        self.named[key] += 1
        try:
            now = members(self.folder / f"{key}.zip")
        except (OSError, zipfile.BadZipFile) as error:
            self.wrong.append(f"the result of {key} could not be read when it had been written: {error}")
            return
        if self.seen.setdefault(key, now) != now:
            self.wrong.append(f"the result of {key} was replaced by another one: {self.seen[key]}, then {now}")
        elif self.named[key] > 1:
            self.wrong.append(f"the result of {key} was written {self.named[key]} times")

    def end(self):
        """Stop watching, and say what was wrong; the results are still those that were seen."""
        self._ended = True
        self._thread.join()
        os.close(self._fd)
        for key, was in self.seen.items():
            if members(self.folder / f"{key}.zip") != was:
                self.wrong.append(f"the result of {key} is not the one that was written")
        return self.wrong
