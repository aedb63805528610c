#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""random_spec.py - small tables and valid specs, by seed, over the whole language.

usage: random_spec.py SEED DIR     writes DIR/*.csv, DIR/spec.json and DIR/tables (one --table argument a line)

Two right implementations may differ in the last bits of a float. So that this never turns into a difference of
kind (a tie that is none, a condition that flips), every expression is known to be exact or not: exact ones are made of
stored values, counts, whole-number sums and single roundings, and only these are compared, ranked or counted.
"""
import datetime
import json
import pathlib
import random
import sys

import naive

HISTORY_DAYS = [1, 2, 3, 5, 7, 10, 30, 365]
TEXTS = ["a", "b", "Zoë", "東京", "x, y", 'say "hi"', "", "it's", " blank ", "tab\there", "Ä", "z\n2"]
NAMES = ["form", "pace", "lead, jump", "Größe", "q\"uote", "a b", "x.y", "馬"]


class Column:
    """What a spec may know of a column or feature: its type, whether it is a result, whether it is exact."""

    def __init__(self, type, exact=True, result=False, positive=False, decimal=False):
        self.type, self.exact, self.result = type, exact, result
        self.positive, self.decimal = positive, decimal  # decimal: a stored decimal column


def quote_name(name):
    plain = name.isascii() and name.isidentifier() and name not in (
        "or", "and", "not", "in", "between", "is", "true", "false", "null", "target")
    return name if plain else "`" + name.replace("`", "``") + "`"


def quote_text(text):
    return "'" + text.replace("'", "''") + "'"


# ---- tables ----

class Tables:
    def __init__(self, r):
        self.r = r
        self.first_day = r.choice([datetime.date(2024, 1, 1), datetime.date(1969, 12, 20), datetime.date(2023, 2, 20),
                                   datetime.date(1, 1, 2), datetime.date(9999, 11, 1), datetime.date(2020, 2, 25)])
        self.timestamps = r.random() < 0.4
        self.start_per_race = r.random() < 0.5
        self.horses = r.randint(1, 5)
        self.jockeys = r.sample(TEXTS, r.randint(1, 4))
        self.files = {"runs": self.runs(), "rates": self.rates(), "horses": self.static()}

    def maybe(self, value, share=0.15):
        return None if self.r.random() < share else value

    def day(self, span):
        return self.first_day + datetime.timedelta(days=self.r.randint(0, span))

    def moment(self, day):
        r = self.r
        time = datetime.time(r.choice([0, 9, 15, 23]), r.choice([0, 30, 59]), r.choice([0, 0, 59]),
                             r.choice([0, 0, 500000, 1]))
        return datetime.datetime.combine(day, time)

    def float_column(self, rows):
        """Floats of one kind: mixed signs, far from zero, large, or few distinct ones."""
        r = self.r
        kind = r.randint(0, 4)
        make = [lambda: r.uniform(-1000, 1000), lambda: 1e9 + r.random(), lambda: 10 ** r.uniform(0, 15),
                lambda: r.choice([0.1, 0.25, 1e-3, 7.5, 55.1]), lambda: -10 ** r.uniform(-8, 8)][kind]
        return [self.maybe(make()) for _ in range(rows)], kind in (1, 2, 3)

    def decimal_column(self, rows):
        r = self.r
        places, low = r.choice([(1, 0), (2, -50), (6, 0)]), 0
        return [self.maybe(f"{r.uniform(places[1], 99):.{places[0]}f}") for _ in range(rows)], places[1] >= low

    def integer_column(self, rows):
        r = self.r
        low, high = r.choice([(0, 3), (1, 18), (-5, 5), (-2**62, 2**62), (10**15, 10**15 + 9)])
        return [self.maybe(r.randint(low, high)) for _ in range(rows)], low >= 0

    def runs(self):
        r, n = self.r, self.r.choice([1, 2, 8, 15, 25, 40])
        span = r.choice([0, 3, 12, 40, 500]) if self.first_day.year != 9999 else r.choice([0, 3, 12])
        races = [(self.day(span), r.randint(1, 3)) for _ in range(max(1, n // 3))]
        starts = {}
        table = {"day": [], "race": [], "off": [], "seen": []}
        for _ in range(n):
            day, number = r.choice(races)
            key = (day, number) if self.start_per_race else day
            starts.setdefault(key, self.moment(day))
            table["day"].append(starts[key] if self.timestamps else day)
            table["race"].append(self.maybe(number, 0.1))
            # one cutoff per day, and never after a start of that day: a date, of this day or earlier, or a moment
            early = day.day if day > datetime.date(1, 1, 5) else 0
            if self.first_day.day % 2:
                table["off"].append(day - datetime.timedelta(days=early % 3))
            else:
                table["off"].append(datetime.datetime.combine(day, datetime.time()) -
                                    datetime.timedelta(hours=early % 30))
            table["seen"].append(self.maybe(self.moment(day) + datetime.timedelta(days=r.choice([0, 0, 1, 3]))))
        if r.random() < 0.5:
            table["seen"] = [s and s.date() for s in table["seen"]]
        table["horse"] = [1] + [self.maybe(r.randint(1, self.horses), 0.1) for _ in range(n - 1)]
        table["jockey"] = ["Zoë"] + [self.maybe(r.choice(self.jockeys), 0.1) for _ in range(n - 1)]
        table["mark"], table["when"] = self.mark(n), self.when(n)
        table["track"] = [r.choice(["turf", "dirt"]) for _ in range(n)]
        table["draw"] = [self.maybe(r.randint(1, 4)) for _ in range(n)]
        self.positive = set()
        for name, make in (("odds", self.decimal_column), ("weight", self.integer_column), ("x", self.float_column),
                           ("y", self.float_column), ("finish", self.integer_column), ("secs", self.decimal_column)):
            table[name], positive = make(n)
            if positive:
                self.positive.add(name)
        table["note"] = [self.maybe(r.choice(TEXTS)) for _ in range(n)]
        return self.doubled(table)

    def rates(self):
        r, n = self.r, self.r.randint(1, 20)
        late = self.first_day.year != 9999
        days = [self.first_day + datetime.timedelta(days=r.randint(0, 30 if late else 12)) for _ in range(n)]
        stamped = r.random() < 0.5
        table = {"known": [self.moment(d) if stamped else d for d in days],
                 "horse": [1] + [self.maybe(r.randint(1, self.horses), 0.1) for _ in range(n - 1)],
                 "jockey": ["Zoë"] + [self.maybe(r.choice(self.jockeys), 0.1) for _ in range(n - 1)],
                 "mark": self.mark(n), "when": self.when(n), "a`b.c": self.integer_column(n)[0],
                 "elo": self.float_column(n)[0], "grade": [self.maybe(r.choice(TEXTS)) for _ in range(n)],
                 "level": self.integer_column(n)[0],
                 "valid_to": [self.maybe(d + datetime.timedelta(days=2)) for d in days]}
        return self.doubled(table)

    def static(self):
        ids = list(range(1, self.horses + self.r.randint(0, 2))) or [1]
        self.r.shuffle(ids)
        return {"horse": ids, "sire": [self.maybe(self.r.choice(TEXTS)) for _ in ids],
                "`in`": [self.maybe(self.r.choice(TEXTS)) for _ in ids], "height": self.decimal_column(len(ids))[0],
                "born": [self.first_day for _ in ids]}

    def mark(self, n):
        """Numbers that are keys: integers, or decimals of one to three places."""
        places, values = self.r.choice(["", ".0", ".00", ".500"]), [1] + [self.maybe(self.r.randint(0, 3))
                                                                         for _ in range(n - 1)]
        return [None if v is None else f"{v}{places if v != 2 else '.5' if places else ''}" for v in values]

    def when(self, n):
        return [self.first_day] + [self.maybe(self.day(2)) for _ in range(n - 1)]

    def doubled(self, table):
        """Some rows twice."""
        n = len(table["horse"])
        extra = [self.r.randrange(n) for _ in range(self.r.choice([0, 0, 1, 3]))]
        return {name: values + [values[i] for i in extra] for name, values in table.items()}

    def text(self, value, is_float):
        if value is None:
            return self.r.choice(["", "", "nan", "NaN"]) if is_float else ""
        if isinstance(value, datetime.datetime):
            text = value.isoformat(self.r.choice(" T"))
            return text[:-3] if text.endswith(":00") and self.r.random() < 0.5 else text
        if isinstance(value, str):
            return naive.text_of(value)
        return str(value) if not isinstance(value, float) else repr(value)

    def write(self, directory):
        for name, table in self.files.items():
            lines = [",".join(table)]
            floats = {column: any(isinstance(v, float) for v in values) for column, values in table.items()}
            for row in zip(*table.values()):
                lines.append(",".join(self.text(v, floats[c]) for c, v in zip(table, row)))
            (directory / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")

    def arguments(self, directory):
        return [f"runs={directory}/runs.csv,time=day,group=race", f"rates={directory}/rates.csv,time=known",
                f"horses={directory}/horses.csv,key=horse"]


def columns_of(table, results, positive):
    """What the columns are, as their text says: all-null ones are floats, whole floats may be integers."""
    columns = {}
    for name in table.scale:
        values = [row[name] for row in table.rows if row[name] is not None]
        first = values[0] if values else 0.0
        kind = ("text" if isinstance(first, str) else "int" if isinstance(first, int) else
                "float" if isinstance(first, float) else "time" if hasattr(first, "hour") else "date")
        columns[name] = Column(kind, result=name in results, positive=name in positive or not values,
                               decimal=table.scale[name] is not None)
    return columns


# ---- expressions ----

class Expressions:
    """Random expressions over named columns. target: columns that may be written target.NAME."""

    def __init__(self, r, columns, target=None):
        self.r, self.columns, self.target = r, columns, target or {}

    def names(self, types, exact):
        plain = [(quote_name(n), c) for n, c in self.columns.items() if c.type in types and (c.exact or not exact)]
        other = [("target." + quote_name(n), c) for n, c in self.target.items()
                 if c.type in types and (c.exact or not exact)]
        return plain + (other if self.r.random() < 0.5 or not plain else [])

    def name(self, types, exact=True):
        """(text, exact) of a column, or None."""
        found = self.names(types, exact)
        if not found:
            return None
        text, column = self.r.choice(found)
        return text, column.exact

    def literal(self):
        return self.r.choice(["0", "1", "2", "3", "-1", "7", "0.5", "2.25", "10", "1e3"])

    def number(self, depth=2, exact=True):
        r = self.r
        named = self.name(("int", "float"), exact)
        if depth == 0 or r.random() < 0.3:
            return named if named and r.random() < 0.85 else (self.literal(), True)
        kind = r.randint(0, 14)
        a, a_exact = self.number(depth - 1, exact)
        b, b_exact = self.number(depth - 1, exact)
        both = a_exact and b_exact
        if kind <= 3:
            return f"({a} {r.choice('+-*/')} {b})", both
        if kind == 4:
            return f"-({a})", a_exact
        if kind == 5:
            return f"abs({a})", a_exact
        if kind == 6:
            return f"{r.choice(['min', 'max'])}({a}, {b})", both
        if kind == 7:
            return f"clip({a}, -100, {r.choice(['2.5', '1000'])})", a_exact
        if kind == 8:
            return f"coalesce({a}, {b})", both
        if kind == 9:
            return f"if({self.condition(depth - 1)}, {a}, {r.choice([b, 'null'])})", both
        if kind == 10 and a_exact:
            remainder = f"({a} % {r.choice(['3', '-7', '2.5'])})"
            digits = f"round({a}, {r.choice(['0', '1', '2', '-1'])})"
            return r.choice([f"floor({a})", f"ceil({a})", f"round({a})", digits, remainder]), True
        if kind == 11 and not exact:
            return f"{r.choice(['sqrt', 'ln', 'log10'])}({a})", False
        if kind == 12 and not exact:
            return f"exp(clip({a}, -20, 20))", False
        if kind == 13:
            return self.calendar(depth)
        return f"bin({self.number(depth - 1)[0]}, [-1, 0, 2.5, 10])", True

    def calendar(self, depth):
        one, other = self.name(("date", "time")), self.name(("date", "time"))
        if not one:
            return self.number(0)
        if self.r.random() < 0.4:
            return f"days_between({one[0]}, {other[0]})", True
        return f"{self.r.choice(['weekday', 'year', 'month', 'day', 'hour', 'day_of_year'])}({one[0]})", True

    def condition(self, depth=1):
        """Always exact."""
        r = self.r
        kind = r.randint(0, 10)
        sign = r.choice(["==", "!=", "<", "<=", ">", ">="])
        texts = self.names(("text",), True)
        dates = self.names(("date", "time"), True)
        flags = self.names(("bool",), True)
        if kind == 0 and depth > 0:
            return f"({self.condition(depth - 1)} {r.choice(['and', 'or'])} {self.condition(depth - 1)})"
        if kind == 1 and depth > 0:
            return f"not ({self.condition(depth - 1)})"
        if kind == 2 and texts:
            return f"{r.choice(texts)[0]} {r.choice(['==', '!='])} {quote_text(r.choice(TEXTS))}"
        if kind == 3 and texts:
            return f"{r.choice(texts)[0]} {r.choice(['', 'not '])}in ('a', 'turf', '', 'Zoë')"
        if kind == 4 and len(texts) > 1:
            return f"{r.choice(texts)[0]} {sign} {r.choice(texts)[0]}"
        if kind == 5 and dates:
            return f"{r.choice(dates)[0]} {sign} {r.choice(dates)[0]}"
        if kind == 6:
            found = self.names(("int", "float", "text", "date", "bool"), True)
            return f"is_null({r.choice(found)[0] if found else '1'})"
        if kind == 7:
            low, high = r.choice(["-1", "1", "21"]), r.choice("2345")
            return f"{self.number(0)[0]} {r.choice(['', 'not '])}between {low} and {high}"
        if kind == 8:
            return f"{self.number(0)[0]} in {r.choice(['(1, 2, 3.5, null)', '(1, 2, 7)'])}"
        if kind == 9 and flags:
            return r.choice(flags)[0]
        return f"{self.number(depth)[0]} {sign} {self.number(0)[0]}"

    def any(self):
        """(text, type) of a column of any type, or of a number."""
        found = self.names(("int", "float", "text", "date", "time", "bool"), True)
        if found and self.r.random() < 0.8:
            text, column = self.r.choice(found)
            return text, column.type
        return self.number(1)[0], "float"


# ---- calculations ----

EXACT_SUMS = ("sum", "mean", "sum_if", "mean_if", "rate")


class Calls:
    """Random calls over an expression scope: (text, Column of what comes out)."""

    def __init__(self, r, scope):
        self.r, self.scope = r, scope

    def bare(self, types):
        found = [(quote_name(n), c) for n, c in self.scope.columns.items() if c.type in types and c.exact]
        return self.r.choice(found) if found else None

    def numeric(self):
        """(text, is it of whole numbers or a stored decimal)"""
        column = self.bare(("int", "float", "bool"))
        if column and self.r.random() < 0.7:
            return column[0], column[1].type in ("int", "bool") or column[1].decimal
        if self.r.random() < 0.3:
            return self.scope.condition(1), True
        return self.scope.number(2)[0], False

    def aggregate(self):
        r = self.r
        x, whole = self.numeric()
        c = self.scope.condition(1)
        v, v_type = self.scope.any()
        kind = r.randint(0, 12)
        if kind == 0:
            return r.choice(["count()", f"count({v})", f"count_if({c})", f"nunique({v})"]), Column("int")
        if kind == 1:
            return f"{r.choice(['sum', 'mean'])}({x})", Column("float", exact=whole)
        if kind == 2:
            return f"rate({c})", Column("float")
        if kind in (3, 4):
            return f"{r.choice(['std', 'var', 'std0', 'var0', 'skew', 'kurt'])}({x})", Column("float", exact=False)
        if kind == 5:
            return f"{r.choice(['median', 'mad', 'iqr'])}({x})", Column("float", exact=False)
        if kind == 6:
            return f"quantile({x}, {r.choice(['0', '0.1', '0.25', '0.9', '1'])})", Column("float", exact=False)
        if kind == 7:
            return f"{r.choice(['min', 'max', 'mode'])}({v})", Column(v_type)
        if kind == 8:
            return f"{r.choice(['top_share', 'entropy'])}({v})", Column("float", exact=False)
        if kind == 9:
            return f"{r.choice(['sum_if', 'mean_if'])}({x}, {c})", Column("float", exact=whole)
        if kind == 10:
            return f"{r.choice(['min_if', 'max_if'])}({v}, {c})", Column(v_type)
        if kind == 11:
            return f"best_by({v}, {self.scope.any()[0]})", Column(v_type)
        return f"range({x})", Column("float", exact=False)

    def window(self):
        r = self.r
        if r.random() < 0.5:
            return self.aggregate()
        x, _ = self.numeric()
        c = self.scope.condition(1)
        v, v_type = self.scope.any()
        kind = r.randint(0, 7)
        if kind == 0:
            return f"{r.choice(['first', 'last'])}({v})", Column(v_type)
        if kind == 1:
            return f"lag({v}, {r.choice([1, 2, 3, 7])})", Column(v_type)
        if kind == 2:
            return f"{r.choice(['delta', 'pct_change'])}({x})", Column("float", exact=False)
        if kind == 3:
            return f"{r.choice(['streak', 'max_streak', 'rows_since', 'days_since'])}({c})", Column("int")
        if kind == 4:
            return r.choice(["days_since_last()", "days_since_first()"]), Column("int")
        if kind == 5:
            return "mean_gap_days()", Column("float", exact=False)
        if kind == 6:
            return f"{r.choice(['slope', 'slope_by_day'])}({x})", Column("float", exact=False)
        half = r.choice(["halflife_rows=1", "halflife_rows=2.5", "halflife_days=1", "halflife_days=30"])
        return f"ewma({x}, {half})", Column("float", exact=False)

    def share_argument(self):
        """Something whose sum does not hang on the last bits."""
        found = [n for n, c in self.scope.columns.items() if c.exact and (
            c.type in ("int", "bool") or c.decimal or (c.type == "float" and c.positive))]
        return quote_name(self.r.choice(found)) if found else "1"

    def group(self):
        """(text, column, may have others)"""
        r = self.r
        if r.random() < 0.4:
            text, column = self.aggregate()
            return text, column, True
        x, _ = self.numeric()
        v, _ = self.scope.any()
        kind = r.randint(0, 6)
        if kind == 0:
            return "size()", Column("int"), True
        if kind == 1:
            words = r.choice(["", ", desc", ", avg", ", max", ", dense", ", first", ", desc, first", ", avg, desc"])
            return f"rank({v}{words})", Column("float" if "avg" in words else "int"), False
        if kind == 2:
            return f"pct_rank({v}{r.choice(['', ', desc', ', max', ', dense', ', avg'])})", Column("float"), False
        if kind == 3:
            return f"zscore({x})", Column("float", exact=False), False
        if kind == 4:
            return f"share({self.share_argument()})", Column("float", exact=False), False
        if kind == 5:
            return r.choice([f"diff_mean({x})", f"diff_best({x})", f"diff_best({x}, asc)"]), Column(
                "float", exact=False), True
        return f"gap_to({x}, {r.choice([1, 2, 5])}{r.choice(['', ', asc'])})", Column("float", exact=False), False


# ---- specs ----

class Spec:
    RESULTS = ("finish", "secs", "note")

    def __init__(self, r, tables, directory):
        self.r, self.tables = r, tables
        loaded = {t.name: t for t in map(naive.read_table, tables.arguments(directory))}
        self.runs = columns_of(loaded["runs"], self.RESULTS, tables.positive)
        self.rates = columns_of(loaded["rates"], (), ())
        self.static = columns_of(loaded["horses"], (), ())
        self.features, self.known = {}, {}  # entries by name; what each output column is
        self.cutoff = r.choice(["key", "key", "off", "day"])
        self.document = self.make()

    def derived(self, columns, within, results):
        """Stage A: names, and what they are."""
        r, made = self.r, {}
        for i in range(r.randint(0, 4)):
            name = f"d{i}"
            scope = Expressions(r, columns)
            kind = r.randint(0, 3 if within else 2)
            if kind == 0:
                made[name], column = scope.condition(2), Column("bool")
                text = made[name]
            elif kind <= 2:
                text, exact = scope.number(2, exact=r.random() < 0.5)
                made[name], column = text, Column("float", exact=exact)
            else:
                text, column, others = Calls(r, scope).group()
                made[name] = {"calc": text, "within": r.choice(within)}
                if others and r.random() < 0.4:
                    made[name]["others"] = True
            # whatever a result column's name occurs in may read it
            column.result = any(n in text for n, c in columns.items() if c.result)
            columns[name] = column
        return made

    def free_name(self):
        r = self.r
        name = f"f{len(self.known)}" if r.random() < 0.85 else f"{r.choice(NAMES)}{len(self.known)}"
        return name

    def by(self, shared=False):
        r = self.r
        single = ["horse", "jockey", "mark", "when"] + ([] if shared else ["track", "draw", "race"])
        return r.choice(single) if r.random() < 0.6 else r.sample(single, 2)

    def window_members(self, columns, other):
        """Members that shape a window, without by and from."""
        r, members = self.r, {}
        if r.random() < 0.4:
            members["days"] = r.choice(HISTORY_DAYS)
        if r.random() < 0.35:
            members["last"] = r.choice([1, 2, 3, 5, 10])
        if r.random() < 0.15:
            members["delay_days"] = r.choice([0, 1, 2, 5])
        known = "valid_to" if other else "seen"
        if r.random() < 0.15 and columns[known].type in ("date", "time"):  # a column of nulls alone is neither
            members["known_at"] = known
        if r.random() < 0.3:
            target = self.readable(False) if r.random() < 0.5 else None
            members["where"] = Expressions(r, columns, target).condition(1)
        return members

    def readable(self, features=True):
        """What a target row may read."""
        columns = {n: c for n, c in self.runs.items() if not c.result}
        return {**columns, **self.known} if features else columns

    def fill(self, column):
        return {"int": -1, "float": -1, "bool": False, "text": "none, \"x\"", "date": "2001-02-03",
                "time": "2001-02-03 04:05:06"}[column.type]

    def maybe_fill(self, entry, columns, share=0.2):
        """Give the entry a fill if it fits all of its columns."""
        fills = {self.fill(column) for column in columns}
        if len(fills) == 1 and self.r.random() < share:
            entry["fill"] = fills.pop()

    def add_window(self):
        r = self.r
        other = r.random() < 0.3
        columns = self.rates if other else self.runs
        entry = {}
        calls = Calls(r, Expressions(r, columns))
        entry["calc"], column = calls.window()
        use = not other and self.windows and r.random() < 0.25
        entry["over" if use else "by"] = r.choice(sorted(self.windows)) if use else self.by(other)
        if other:
            entry["from"] = "rates"
        members = self.window_members(columns, other)
        entry.update(members)
        if r.random() < 0.2:
            entry["min_rows"] = r.choice([1, 2, 3])
        if r.random() < 0.25:
            with_target = "target." in entry.get("where", "") or "target." in str(self.windows.get(entry.get("over")))
            if not with_target:
                entry["calc"], column = r.choice([
                    (f"mean({calls.numeric()[0]})", Column("float", exact=False)),
                    (f"rate({calls.scope.condition(1)})", Column("float", exact=False))])
                entry["prior"] = r.choice([1, 2.5, 10])
        self.maybe_fill(entry, [column])
        name, suffixes = self.free_name(), [""]
        if r.random() < 0.15:
            entry["last"] = r.sample([1, 2, 3, 5, 10], r.randint(1, 2))
            suffixes = [f"_l{n}" for n in entry["last"]]
        if r.random() < 0.15:
            entry["days"] = r.sample(HISTORY_DAYS, r.randint(1, 2))
            suffixes = [s + f"_{n}d" for s in suffixes for n in entry["days"]]
        self.add(name, entry, {name + s: column for s in suffixes})

    def add_grid(self):
        r, other = self.r, self.r.random() < 0.3
        scope = Expressions(r, self.rates if other else self.runs)
        calls = Calls(r, scope)
        a, b = calls.window(), calls.window()
        label = f"g{len(self.known)}"
        grid = {"calc": {"one": a[0], "two": b[0]}, "days": r.sample(HISTORY_DAYS, 2),
                "by": r.choice([{"h": "horse", "hj": ["horse", "jockey"]}, ["horse", "mark"], "jockey"])}
        if other:
            grid["from"] = "rates"
        if r.random() < 0.3:
            one, two = scope.condition(1), scope.condition(1)
            grid["where"] = r.choice([one, {"some": one, "others": two}])
        self.maybe_fill(grid, [a[1], b[1]])
        if r.random() < 0.5:
            grid["last"] = {"few": 2, "many": 10}
        items = list(grid.items())
        r.shuffle(items)
        template = label + "".join("_{%s}" % n for n, v in grid.items()
                                   if isinstance(v, dict) or isinstance(v, list) and n != "by")
        names = [n for n, _ in naive.grid_features({"name": template, **dict(items)})]
        self.add(label, {"grid": {"name": template, **dict(items)}},
                 {n: a[1] if "_one" in n else b[1] for n in names})

    def add_group(self):
        r = self.r
        per_race = self.cutoff == "day" and self.tables.timestamps and self.tables.start_per_race
        within = r.choice(["race", ["race", "track"]] if per_race else ["race", "track", ["race", "track"], "draw"])
        text, column, others = Calls(r, Expressions(r, self.readable())).group()
        entry = {"calc": text, "within": within}
        if others and r.random() < 0.5:
            entry["others"] = True
        self.maybe_fill(entry, [column])
        self.add(name := self.free_name(), entry, {name: column})

    def several(self, name, scope, kind):
        """(text, columns) of an expression that makes several columns."""
        r = self.r
        if kind == 1:
            return (f"cyc({scope.number(0)[0]}, {r.choice(['12', '7', '2.5'])})",
                    {name + "_sin": Column("float", False), name + "_cos": Column("float", False)})
        if kind == 2:
            return (f"onehot({scope.name(('text',))[0]}, ['turf', 'a', 'Zoë'])",
                    {name + s: Column("int") for s in ("_turf", "_a", "_Zoë")})
        return (f"onehot({scope.number(0)[0]}, [1, -2, 2.5])",
                {name + s: Column("int") for s in ("_1", "_-2", "_2.5")})

    def add_expression(self):
        r, scope, name = self.r, Expressions(self.r, self.readable()), self.free_name()
        kind = r.randint(0, 5)
        if kind == 0:
            text, made = scope.condition(2), {name: Column("bool")}
        elif kind <= 3:
            text, made = self.several(name, scope, kind)
        else:
            text, exact = scope.number(3, exact=False)
            made = {name: Column("float", exact)}
        entry = {"expr": text}
        self.maybe_fill(entry, made.values())
        self.add(name, entry, made)

    def add_asof(self):
        r, name = self.r, self.free_name()
        column = r.choice(sorted(n for n in self.rates if n not in ("known",)))
        entry = {"asof": f"rates.{column}", "by": self.by(True)}
        made = {name: self.rates[column]}
        if r.random() < 0.4:
            entry["max_age_days"] = r.choice([1, 3, 10, 100])
        if r.random() < 0.4:
            entry["age"] = True
            made[name + "_age_days"] = Column("int")
        self.maybe_fill(entry, [self.rates[column]])
        self.add(name, entry, made)

    def add_lookup(self):
        name, column = self.free_name(), self.r.choice(sorted(self.static))
        entry = {"lookup": f"horses.{column}", "by": self.r.choice(["horse", "horse", "mark"])}
        self.maybe_fill(entry, [self.static[column]])
        self.add(name, entry, {name: self.static[column]})

    def add(self, name, entry, made):
        self.features[name] = entry
        for column, what in made.items():
            self.known[column] = Column(what.type, what.exact)

    def make(self):
        r = self.r
        tables = {"runs": {"time": "day", "group": "race", "result_columns": list(self.RESULTS),
                           "columns": self.derived(self.runs, ["race", "track", ["race", "draw"]], self.RESULTS)},
                  "rates": {"time": "known", "columns": self.derived(self.rates, [], ())}, "horses": {"key": "horse"}}
        self.windows = {}
        for i in range(r.randint(0, 2)):
            self.windows[f"w{i}"] = {"by": self.by(), **self.window_members(self.runs, False)}
        add = [self.add_window] * 6 + [self.add_group] * 3 + [self.add_expression] * 2 + [
            self.add_asof, self.add_lookup, self.add_grid]
        for _ in range(r.randint(3, 14)):
            r.choice(add)()
        entries = list(self.features.items())
        r.shuffle(entries)
        target = {"table": "runs", "keep": r.sample(
            [n for n, c in self.runs.items() if not c.result], r.randint(0, 5))}
        if self.cutoff != "key" or r.random() < 0.5:
            target["cutoff"] = self.cutoff
        if r.random() < 0.25:
            target["where"] = Expressions(r, self.readable(False)).condition(1)
        document = {"spec": 1, "tables": tables, "target": target, "windows": self.windows, "features": dict(entries)}
        if r.random() < 0.5:
            labels = Expressions(r, self.runs)
            document["labels"] = {"y0": labels.condition(1), "y1": labels.number(1, exact=False)[0]}
            if r.random() < 0.3:
                document["labels"]["y2"] = self.several("y2", labels, r.randint(1, 3))[0]
        return document


def write_case(seed, directory):
    """Write the tables and the spec of a seed; the --table arguments."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    r = random.Random(seed)
    tables = Tables(r)
    tables.write(directory)
    spec = Spec(r, tables, directory)
    (directory / "spec.json").write_text(json.dumps(spec.document, ensure_ascii=False, indent=1) + "\n",
                                         encoding="utf-8")
    arguments = tables.arguments(directory)
    (directory / "tables").write_text("\n".join(arguments) + "\n", encoding="utf-8")
    return arguments


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write_case(int(sys.argv[1]), sys.argv[2])
