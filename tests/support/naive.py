#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""naive.py - a second, naive implementation of feature specs, to compare hiwari with.

usage: naive.py --table NAME=FILE[,time=COL][,group=COL][,key=COL] ... --spec SPEC [--key DATE ...] --out FILE.csv

Everything is computed from its definition, with nested loops over the whole history: no index, no sharing, nothing
clever. Only Python's standard library is used. FILE may be CSV or CSV.gz. The output holds the rows of all keys (all
dates of the target unless --key), in order, with an extra first column _key.
"""
import argparse
import gzip
import itertools
import json
import math
import re
import sys
from fractions import Fraction

import naive_calc as calc
import naive_expr as expr

# ---- tables from CSV ----


def csv_records(text):
    """Records of fields; a field is None (nothing between the commas) or a string."""
    record, field, at, n = [], None, 0, len(text)
    while at < n:
        if text[at] == '"':
            end = at + 1
            while not (text[end] == '"' and text[end + 1:end + 2] != '"'):
                end += 2 if text[end] == '"' else 1
            field, at = text[at + 1:end].replace('""', '"'), end + 1
        else:
            match = re.compile(r"[^,\r\n]*").match(text, at)
            field, at = match.group() or None, match.end()
        record.append(field)
        if at < n and text[at] == ",":
            at += 1
            if at == n or text[at] in "\r\n":
                record.append(None)
        if at == n or text[at] in "\r\n":
            yield record
            record = []
            at += 2 if text[at:at + 2] == "\r\n" else 1


def number_text(text):
    return re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", text, re.ASCII)


def as_integers(texts):
    if not all(re.fullmatch(r"-?(0|[1-9]\d*)", t, re.ASCII) for t in texts):
        return None
    values = [int(t) for t in texts]
    return values if all(expr.INT_MIN <= v <= expr.INT_MAX for v in values) else None


def as_decimals(texts):
    if not all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d{1,6})?", t, re.ASCII) for t in texts):
        return None
    places = max(len(t.partition(".")[2]) for t in texts)
    digits = max(len(t.partition(".")[0].lstrip("-").lstrip("0")) for t in texts)
    return ([float(t) + 0.0 for t in texts], places) if digits + places <= 15 else None


def as_floats(texts):
    if not all(number_text(t) or t.lower() == "nan" for t in texts):
        return None
    values = [None if t.lower() == "nan" else float(t) + 0.0 for t in texts]
    for text, value in zip(texts, values):
        if value is not None and not math.isfinite(value):
            return None
        if value is not None and re.fullmatch(r"-?\d+", text, re.ASCII) and int(text) != int(value):
            return None  # a whole number that would be rounded is an id, not a number
    return values


def all_of(function):
    def convert(texts):
        try:
            values = [function(t) for t in texts]
        except ValueError:
            return None
        return None if any(v is None for v in values) else values
    return convert


def column_of(fields):
    """(values, scale): typed values, and the places after the point if it is a decimal column."""
    texts = [f for f in fields if f is not None]
    values, scale = (as_integers(texts), None) if texts else ([], None)
    if values is None and as_decimals(texts):
        values, scale = as_decimals(texts)
    for convert in (as_floats, all_of(expr.parse_date), all_of(expr.parse_timestamp)):
        if values is None:
            values = convert(texts)
    filled = iter(texts if values is None else values)
    return [None if f is None else next(filled) for f in fields], scale


class Table:
    """Rows are dicts from column name to value, in the order (time, group, source)."""

    def __init__(self, name, path, time=None, group=None, key=None):
        self.name, self.time, self.group, self.key = name, time, group, key
        opened = gzip.open(path, "rt", encoding="utf-8", newline="") if path.endswith(".gz") else open(
            path, encoding="utf-8", newline="")
        with opened as file:
            records = list(csv_records(file.read()))
        names = records[0]
        columns = [column_of([record[i] for record in records[1:]]) for i in range(len(names))]
        self.scale = {n: scale for n, (_, scale) in zip(names, columns)}
        self.rows = [dict(zip(names, row)) for row in zip(*[values for values, _ in columns])]
        self.ends = []

    def order(self, row):
        group = row[self.group] if self.group else None
        if isinstance(group, str):
            group = group.encode()
        return (expr.start_us(row[self.time]), group is not None, 0 if group is None else expr.sortable(group))

    def times(self):
        """The rows' times in microseconds, a date being the end of its day."""
        if not self.ends:
            self.ends = [expr.end_us(row[self.time]) for row in self.rows]
        return self.ends

    def derive(self, columns):
        """Stage A: columns over history rows, each after those that it reads."""
        waiting = dict(columns)
        while waiting:
            ready = [n for n, c in waiting.items() if not self.reads(c) & set(waiting)]
            for name in ready:
                self.add_column(name, waiting.pop(name))

    @staticmethod
    def reads(column):
        if isinstance(column, str):
            return expr.names_in(expr.parse(column))
        names = set(as_list(column["within"]))
        return names.union(*[expr.names_in(tree) for tree in Call(column["calc"]).args])

    def add_column(self, name, column):
        if isinstance(column, str):
            tree = expr.parse(column)
            values = [expr.evaluate(tree, row.get) for row in self.rows]
            self.scale[name] = self.scale.get(tree[1]) if tree[0] == "name" else None
        else:
            values = self.group_statistic(column)
            self.scale[name] = None
        for row, value in zip(self.rows, values):
            row[name] = value

    def group_statistic(self, column):
        call, within = Call(column["calc"]), as_list(column["within"])
        values = []
        for row in self.rows:
            same_time = [r for r in self.rows if r[self.time] == row[self.time]]
            members = group_of(row, same_time, within)
            values.append(call.on_group(members, row, lambda r, n: r[n], self.scale, column.get("others", False)))
        return values


def group_of(row, rows, within):
    """The rows with equal values; a null belongs to nobody's group."""
    values = [row[w] for w in within]
    if any(v is None for v in values):
        return [row]
    return [r for r in rows if [r[w] for w in within] == values]


def as_list(x):
    return x if isinstance(x, list) else [x]


# ---- calls: "quantile(x, 0.9)" ----

class Call:
    WORDS = ("desc", "asc", "avg", "max", "min", "dense", "first")

    def __init__(self, text):
        self.name, inside = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", text, re.DOTALL).groups()
        self.args, self.words, self.number, self.unit = [], [], None, None
        for part in self.parts(inside):
            named = re.fullmatch(r"\s*(halflife_\w+)\s*=\s*(.*)", part)
            tree = expr.parse(named[2] if named else part)
            if named:
                self.unit, self.number = named[1], float(tree[1])
            elif self.args and tree[0] == "name" and tree[1] in self.WORDS:
                self.words.append(tree[1])
            elif self.args and self.name != "best_by" and tree[0] == "value" and isinstance(tree[1], (int, float)):
                self.number = Fraction(tree[1])
            else:
                self.args.append(tree)

    @staticmethod
    def parts(text):
        """Cut at the commas that stand in no bracket and no quote."""
        parts, depth, quote, start = [], 0, None, 0
        for at, c in enumerate(text):
            if quote:
                quote = None if c == quote else quote
            elif c in "'\"`":
                quote = c
            elif c in "([":
                depth += 1
            elif c in ")]":
                depth -= 1
            elif c == "," and depth == 0:
                parts.append(text[start:at])
                start = at + 1
        return parts + [text[start:]] if text.strip() else []

    def series(self, rows, read):
        columns = [[expr.evaluate(tree, lambda n, r=row: read(r, n)) for row in rows] for tree in self.args]
        if not columns:
            columns = [[True] * len(rows)]  # count(), size(): every row counts
        return columns[0], columns[1] if len(columns) > 1 else columns[0]

    def scale_of(self, scales):
        return scales.get(self.args[0][1]) if self.args and self.args[0][0] == "name" else None

    def on_window(self, rows, table, cutoff):
        xs, ys = self.series(rows, lambda row, name: row[name])
        number = None if self.number is None else self.number if self.unit is None else float(self.number)
        return calc.window_calc(self.name, xs, ys, number, self.scale_of(table.scale),
                                [row[table.time] for row in rows], cutoff, self.unit)

    def on_group(self, rows, row, read, scales, others):
        xs, ys = self.series(rows, read)
        at = next(i for i, r in enumerate(rows) if r is row)
        return calc.group_calc(self.name, xs, ys, self.number, self.scale_of(scales), self.words, at, others)


# ---- the spec: comments, fan-out, grid ----

def without_comments(node):
    if isinstance(node, dict):
        return {name: without_comments(value) for name, value in node.items() if not name.startswith("#")}
    return [without_comments(value) for value in node] if isinstance(node, list) else node


def placeholder(value):
    if isinstance(value, list):
        return "_".join(value)
    return value if isinstance(value, str) else json.dumps(value)


def grid_features(grid):
    """Each axis is a list of (what its placeholder shows, value)."""
    names, axes = [n for n in grid if n != "name"], []
    for name in names:
        value = grid[name]
        if isinstance(value, dict):
            axes.append(list(value.items()))
        elif isinstance(value, list) and name != "by":
            axes.append([(placeholder(v), v) for v in value])
        else:
            axes.append([(placeholder(value), value)])
    for combination in itertools.product(*axes):
        shown = {name: show for name, (show, _) in zip(names, combination)}
        yield grid["name"].format(**shown), {name: value for name, (_, value) in zip(names, combination)}


def features_of(spec):
    """(name, feature) in output order, every list and grid multiplied out."""
    windows = spec.get("windows", {})
    for name, feature in spec["features"].items():
        if "grid" in feature:
            made = grid_features(feature["grid"])
        else:
            made = fan_out(name, feature)
        for full_name, plain in made:
            over = plain.pop("over", None)
            yield full_name, {**windows[over], **plain} if over else plain


def fan_out(name, feature):
    lasts = [(f"_l{n}", {"last": n}) for n in feature["last"]] if isinstance(feature.get("last"), list) else [("", {})]
    days = [(f"_{n}d", {"days": n}) for n in feature["days"]] if isinstance(feature.get("days"), list) else [("", {})]
    for (last_name, last), (days_name, day) in itertools.product(lasts, days):
        yield name + last_name + days_name, {**feature, **last, **day}


# ---- one key ----

class Engine:
    def __init__(self, tables, spec):
        self.spec = without_comments(spec)
        self.tables = tables
        for name, declared in self.spec["tables"].items():
            table = tables[name]
            table.time, table.group, table.key = (declared.get("time") or table.time,
                                                  declared.get("group") or table.group,
                                                  declared.get("key") or table.key)
            if table.time:
                table.rows.sort(key=table.order)
            table.derive(declared.get("columns", {}))
        target = self.spec["target"]
        self.target = tables[target["table"]]
        self.features = list(features_of(self.spec))
        self.labels = self.spec.get("labels", {})
        keep = as_list(target.get("keep", []))
        self.keep = keep if self.target.time in keep else [self.target.time] + keep

    def keys(self):
        return sorted({self.key_of(row) for row in self.target.rows})

    def key_of(self, row):
        time = row[self.target.time]
        return (time if expr.is_date(time) else time.date()).isoformat()

    def cutoff(self, row, key):
        column = self.spec["target"].get("cutoff", "key")
        return expr.parse_date(key) if column == "key" else row[column]

    # -- stage B --

    def history(self, row, cutoff, feature, everybody=False):
        """The window: rows of the history table, oldest first. everybody: of all keys, and without last (for prior)."""
        table = self.tables[feature.get("from", self.target.name)]
        by = as_list(feature["by"])
        if not everybody and any(row[b] is None for b in by):
            return table, []
        end = expr.start_us(cutoff) - feature.get("delay_days", 0) * expr.DAY_US
        start = end - feature["days"] * expr.DAY_US if "days" in feature else None
        where = expr.parse(feature["where"]) if "where" in feature else None
        known_at = feature.get("known_at")
        found = []
        values = [row[b] for b in by]
        for h, time in zip(table.rows, table.times()):
            if time >= end or (start is not None and time < start):
                continue
            if not everybody and [h[b] for b in by] != values:
                continue
            if known_at and (h[known_at] is None or expr.end_us(h[known_at]) >= expr.start_us(cutoff)):
                continue
            if where and expr.evaluate(where, h.get, row.get) is not True:
                continue
            found.append(h)
        if "last" in feature and not everybody:
            found = found[-feature["last"]:]
        return table, found

    def window_feature(self, row, cutoff, feature):
        call = Call(feature["calc"])
        table, rows = self.history(row, cutoff, feature)
        if len(rows) < feature.get("min_rows", 0):
            return None
        if "prior" not in feature:
            return call.on_window(rows, table, cutoff)
        overall = call.on_window(self.history(row, cutoff, feature, everybody=True)[1], table, cutoff)
        xs = calc.known(call.series(rows, lambda r, n: r[n])[0])
        if overall is None:
            return None
        k = feature["prior"]
        return (float(calc.total(xs, call.scale_of(table.scale))) + k * overall) / (len(xs) + k)

    def asof_feature(self, row, cutoff, feature):
        """(value, age in days)"""
        name, _, column = feature["asof"].partition(".")
        table, rows = self.history(row, cutoff, {"from": name, "by": feature["by"]})
        if not rows:
            return None, None
        age = expr.day_of(cutoff) - expr.day_of(rows[-1][table.time])
        if age > feature.get("max_age_days", math.inf):
            return None, None
        return rows[-1][column], age

    def lookup_feature(self, row, feature):
        name, _, column = feature["lookup"].partition(".")
        table, value = self.tables[name], row[as_list(feature["by"])[0]]
        return next((r[column] for r in table.rows if value is not None and r[table.key] == value), None)

    # -- stage C --

    def several(self, name, text):
        """[(column, tree)]: cyc and onehot make several."""
        tree = expr.parse(text)
        if tree[0] == "onehot":
            x, (_, choices) = tree[1]
            return [(f"{name}_{placeholder_of(choice)}", ("if", [("is_null", [x]), ("value", None), (
                "if", [("==", [x, choice]), ("value", 1), ("value", 0)])])) for choice in choices]
        if tree[0] == "cyc":
            return [(name + "_sin", ("cyc_sin", tree[1])), (name + "_cos", ("cyc_cos", tree[1]))]
        return [(name, tree)]

    def evaluate_all(self, key):
        """Every row of the key, those that target.where leaves out too, with all its columns by name."""
        rows = [row for row in self.target.rows if self.key_of(row) == key]
        values = [dict() for _ in rows]  # per row: feature name -> value
        place = {id(row): i for i, row in enumerate(rows)}

        def read(row, name):
            here = values[place[id(row)]]
            return here[name] if name in here else row[name]

        waiting = list(self.features)
        names = {column for name, feature in self.features for column in self.columns_of(name, feature)}
        while waiting:
            for entry in [e for e in waiting if not self.reads(e[1]) & names]:
                self.compute(entry, key, rows, values, read)
                names -= set(self.columns_of(*entry))
                waiting.remove(entry)
        for name, text in self.labels.items():
            for column, tree in self.several(name, text):
                for row, here in zip(rows, values):
                    here[column] = evaluate_cyclic(tree, lambda n, r=row: read(r, n))
        return rows, values

    def columns_of(self, name, feature):
        if "expr" in feature:
            return [column for column, _ in self.several(name, feature["expr"])]
        return [name, name + "_age_days"] if feature.get("age") else [name]

    def reads(self, feature):
        if "expr" in feature:
            return expr.names_in(expr.parse(feature["expr"]))
        if "within" in feature:
            return set().union(*[expr.names_in(tree) for tree in Call(feature["calc"]).args])
        return set()

    def compute(self, entry, key, rows, values, read):
        name, feature = entry
        fill = filling(feature.get("fill"))
        trees = self.several(name, feature["expr"]) if "expr" in feature else None
        for row, here in zip(rows, values):
            cutoff = self.cutoff(row, key)
            if trees:
                for column, tree in trees:
                    value = evaluate_cyclic(tree, lambda n, r=row: read(r, n))
                    here[column] = fill if value is None else value
                continue
            if "within" in feature:
                members = group_of(row, rows, as_list(feature["within"]))
                value = Call(feature["calc"]).on_group(members, row, read, self.target.scale,
                                                       feature.get("others", False))
            elif "asof" in feature:
                value, age = self.asof_feature(row, cutoff, feature)
                if feature.get("age"):
                    here[name + "_age_days"] = age
            elif "lookup" in feature:
                value = self.lookup_feature(row, feature)
            else:
                value = self.window_feature(row, cutoff, feature)
            here[name] = fill if value is None else value

    def header(self):
        features = [column for name, feature in self.features for column in self.columns_of(name, feature)]
        return self.keep + features + [c for name, text in self.labels.items() for c, _ in self.several(name, text)]

    def output(self, key):
        """The rows of the result, as lists of values."""
        rows, values = self.evaluate_all(key)
        where = self.spec["target"].get("where")
        tree = expr.parse(where) if where else ("value", True)
        n_keep = len(self.keep)
        for row, here in zip(rows, values):
            if expr.evaluate(tree, row.get) is True:
                yield [row[k] for k in self.keep] + [here[c] for c in self.header()[n_keep:]]


def filling(fill):
    """A string that reads as a date or time fills such a column: random texts do not look like one."""
    return (expr.parse_date(fill) or expr.parse_timestamp(fill) or fill) if isinstance(fill, str) and fill else fill


def placeholder_of(tree):
    value = -tree[1][0][1] if tree[0] == "negative" else tree[1]
    return value if isinstance(value, str) else json.dumps(value)


def evaluate_cyclic(tree, name):
    if tree[0] not in ("cyc_sin", "cyc_cos"):
        return expr.evaluate(tree, name)
    x, period = [expr.evaluate(part, name) for part in tree[1]]
    if x is None:
        return None
    angle = 2 * math.pi * (math.remainder(float(x), float(period)) / float(period))  # the remainder is exact
    return math.sin(angle) if tree[0] == "cyc_sin" else math.cos(angle)


# ---- output ----

def text_of(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        quoted = value == "" or any(c in value for c in ',"\r\n')
        return '"' + value.replace('"', '""') + '"' if quoted else value
    if isinstance(value, (int, float)):
        return repr(value)
    return value.isoformat() if expr.is_date(value) else value.isoformat(" ")


def read_table(text):
    name, _, rest = text.partition("=")
    path, *options = rest.split(",")
    return Table(name, path, **dict(option.split("=", 1) for option in options))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="append", required=True)
    parser.add_argument("--spec", required=True)
    parser.add_argument("--key", action="append")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    tables = {table.name: table for table in map(read_table, args.table)}
    with open(args.spec, encoding="utf-8") as file:
        engine = Engine(tables, json.load(file))
    with open(args.out, "w", encoding="utf-8", newline="") as out:
        out.write(",".join(map(text_of, ["_key"] + engine.header())) + "\n")
        for key in args.key or engine.keys():
            for row in engine.output(key):
                out.write(",".join(map(text_of, [key] + row)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
