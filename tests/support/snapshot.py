# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""snapshot.py - what stands in a snapshot, read with numpy alone."""
import json
import pathlib

import numpy


def encode(name):
    """A table's or column's name as a file name."""
    return "".join(chr(b) if chr(b).isalnum() and b < 128 or chr(b) in "_-" else f"%{b:02X}" for b in name.encode())


def column(directory, table, name):
    """The values as Python has them; None for null. Dates and timestamps are numpy's texts."""
    base = pathlib.Path(directory) / encode(table)
    file = encode(name)
    values = numpy.load(base / f"{file}.npy")
    if (base / f"{file}.offsets.npy").exists():
        offsets, data = numpy.load(base / f"{file}.offsets.npy"), numpy.load(base / f"{file}.bytes.npy").tobytes()
        words = [data[a:b].decode() for a, b in zip(offsets, offsets[1:])]
        values = [words[code] if words else None for code in values]
    elif values.dtype.kind == "M":
        values = [str(v) for v in values]
    else:
        values = values.tolist()
    if not (base / f"{file}.valid.npy").exists():
        return values
    return [v if ok else None for v, ok in zip(values, numpy.load(base / f"{file}.valid.npy"))]


def rows(directory, table, *names):
    return list(zip(*(column(directory, table, name) for name in names)))


def identity(directory):
    return json.loads((pathlib.Path(directory) / "snapshot.json").read_text())["id"]
