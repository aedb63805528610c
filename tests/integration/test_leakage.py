#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""No feature sees what was not known at the cutoff.

Results of a key are computed; then everything is changed that lies at or after the cutoff (result columns of the
target's table, all columns of later days and of other histories), the snapshot is made anew, and the results must have
the same bytes, labels aside. Changing result columns *before* the cutoff must change them: so the test can fail.

Values change places with each other, so that columns keep their types. Random specs count up from HIWARI_SEED
(default 1), HIWARI_LEAK_SPECS (default 30) of them. A failing case stays in its directory.
"""
import csv
import datetime
import gzip
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import naive
import random_spec
import tap

ANSWERS = cli.BUILD / "tests" / "support" / "spec_answers"
FIRST_SEED = int(os.environ.get("HIWARI_SEED", "1"))
RANDOM_SPECS = int(os.environ.get("HIWARI_LEAK_SPECS", "30"))
DAY = datetime.timedelta(days=1)


class Refused(Exception):
    """The spec does not fit the tables."""


# ---- times ----

def moment(text):
    """The time that a history row of this date or timestamp counts as."""
    when = datetime.datetime.fromisoformat(text)
    return when.replace(hour=23, minute=59, second=59, microsecond=999999) if len(text) == 10 else when


def start(text):
    """The same as a cutoff."""
    return datetime.datetime.fromisoformat(text)


# ---- tables ----

class Table:
    """A CSV file as texts, with its roles."""

    def __init__(self, argument):
        self.name, _, rest = argument.partition("=")
        path, *options = rest.split(",")
        self.roles = dict(option.split("=") for option in options)
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="") as file:
            records = list(naive.csv_records(file.read()))
        self.columns, self.rows = records[0], [dict(zip(records[0], r)) for r in records[1:]]
        self.time = self.roles.get("time")

    def copy(self):
        other = object.__new__(Table)
        other.__dict__ = {**self.__dict__, "rows": [dict(row) for row in self.rows]}
        return other

    def write(self, directory):
        path = directory / f"{self.name}.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            for row in [dict(zip(self.columns, self.columns))] + self.rows:
                file.write(",".join(naive.text_of(row[c]) for c in self.columns) + "\n")
        return f"{self.name}={path}" + "".join(f",{role}={column}" for role, column in self.roles.items())

    def change(self, columns, when):
        """Give the rows for which when(row) other values in these columns: each value its neighbour's."""
        for column in columns:
            rows = [row for row in self.rows if when(row)]
            here = sorted({row[column] for row in rows}, key=lambda v: (v is None, v))
            if len(here) == 1:
                here += sorted({row[column] for row in self.rows} - set(here), key=lambda v: (v is None, v))[:1]
            if len(here) == 1:
                here.append(another(here[0]))
            following = dict(zip(here, here[1:] + here[:1]))
            for row in rows:
                row[column] = following[row[column]]


def another(text):
    """A value of the same type as the only one that there is."""
    if text is None or text.lower() == "nan":
        return "5e-1"
    try:
        return (datetime.datetime.fromisoformat(text) - DAY).isoformat(" ")[:len(text)]
    except (ValueError, OverflowError):
        pass
    if text[-1:].isdigit():
        return text[:-1] + ("1" if text[-1] == "0" else str(int(text[-1]) - 1))
    return text + "x"


# ---- one spec over tables ----

class Case:
    def __init__(self, spec_path, tables, directory):
        self.spec_path, self.directory = pathlib.Path(spec_path), pathlib.Path(directory)
        self.spec = json.loads(self.spec_path.read_text(encoding="utf-8"))
        self.tables = {t.name: t for t in tables}
        self.target = self.tables[self.spec["target"]["table"]]
        self.results = self.spec["tables"][self.target.name].get("result_columns", [])
        self.results = [self.results] if isinstance(self.results, str) else self.results
        self.cutoff = self.spec["target"].get("cutoff", "key")
        self.cases = 0

    def answer(self, tables, key):
        """(header, rows) without labels."""
        work = self.directory / "engine"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        arguments = [word for t in tables.values() for word in ("--table", t.write(work))]
        done = subprocess.run([ANSWERS, *arguments, "--spec", self.spec_path, "--work", work, "--key", key],
                              stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "3"})
        if done.returncode:
            raise Refused(done.stderr)
        records = list(naive.csv_records((work / "answers" / f"{key}.csv").read_text(encoding="utf-8")))
        labels = tuple(self.spec.get("labels", {}))
        seen = [i for i, name in enumerate(records[0])
                if name not in labels and not name.startswith(tuple(f"{l}_" for l in labels))]
        return [[record[i] for i in seen] for record in records]

    def keys(self):
        return sorted({row[self.target.time][:10] for row in self.target.rows})

    def of_key(self, key):
        """The key's target rows with their cutoffs."""
        rows = [row for row in self.target.rows if row[self.target.time][:10] == key]
        return [(row, start(key if self.cutoff == "key" else row[self.cutoff])) for row in rows]

    def with_future_changed(self, key, edge, hidden):
        """Tables in which everything not known at the edge is another. hidden(table, row): what counts so."""
        tables = {name: t.copy() for name, t in self.tables.items()}
        for table in tables.values():
            if not table.time:
                continue
            if table.name == self.target.name:
                table.change(self.results, lambda row: hidden(table, row))
                fixed = {table.time, self.cutoff, table.roles.get("group"), *self.results}
                table.change([c for c in table.columns if c not in fixed], lambda row: row[table.time][:10] > key)
            else:
                table.change([c for c in table.columns if c != table.time], lambda row: hidden(table, row))
        return tables

    def check_key(self, key, hidden_from):
        """Compare; whether the control saw a difference."""
        rows = self.of_key(key)
        before = self.answer(self.tables, key)
        for edge in sorted({min(c for _, c in rows), max(c for _, c in rows)}):
            def hidden(table, row):
                return hidden_from(table, row, edge)
            after = self.answer(self.with_future_changed(key, edge, hidden), key)
            self.cases += 1
            assert before[0] == after[0] and len(before) == len(after), (before[0], after[0])
            if "where" in self.spec["target"]:  # which rows are there, their cutoffs do not say
                known = before[1:] if edge == min(c for _, c in rows) == max(c for _, c in rows) else []
                pairs = list(zip(known, after[1:]))
            else:
                ordered = sorted(rows, key=lambda r: self.order(r[0]))
                pairs = [(b, a) for b, a, (_, c) in zip(before[1:], after[1:], ordered) if c <= edge]
            for b, a in pairs:
                wrong = [f"{name}: {x!r}, after a change of the future {y!r}"
                         for name, x, y in zip(before[0], b, a) if x != y]
                assert not wrong, f"key {key}, cutoff {edge}: {wrong[:5]}\nin {self.directory}"
        edge = min(c for _, c in rows)
        tables = {name: t.copy() for name, t in self.tables.items()}
        tables[self.target.name].change(self.results, lambda row: moment(row[self.target.time]) < edge)
        return self.answer(tables, key) != before

    def order(self, row):
        """By time alone: Python's sort keeps the rest, and rows of one time have one cutoff or are equal here."""
        return start(row[self.target.time])

    def check(self, max_keys, hidden_from=lambda table, row, edge: moment(row[table.time]) >= edge):
        """The last key and some others; how many controls saw a difference."""
        keys = self.keys()
        some = sorted(set(random.Random(len(keys)).sample(keys, min(len(keys), max_keys - 1))) | {keys[-1]})
        return sum(self.check_key(key, hidden_from) for key in some)


def scratch_kept_on_failure(function):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hiwari-leak-"))
    try:
        result = function(directory)
    except Refused:
        shutil.rmtree(directory)
        raise
    shutil.rmtree(directory)
    return result


# ---- made-up races for the specs of the unit tests ----

def entries(days=12, races=2, runners=5):
    """Every column that a spec in tests/unit/specs/good reads somewhere."""
    r, lines = random.Random(3), []
    names = ["race_date", "race_id", "horse_id", "jockey_id", "trainer_id", "track", "surface", "division", "distance",
             "draw", "odds", "start_time", "seen", "finish", "time_s", "placed", "x", "a", "b", "s", "f", "h", "馬"]
    for day in range(days):
        date = datetime.date(2024, 1, 1) + datetime.timedelta(days=day)
        for race in range(races):
            order = r.sample(range(1, runners + 1), runners)
            for horse in range(runners):
                lines.append([date, 100 * day + race, r.randint(1, 8), r.randint(1, 3), r.randint(1, 2),
                              r.choice("OK"), r.choice(["turf", "dirt"]), race, r.choice([1000, 1200, 1600]),
                              horse + 1, round(r.uniform(1.1, 30), 1), f"{date} 00:00:00", date + DAY, order[horse],
                              round(r.uniform(60, 99), 1), r.randint(0, 1), r.randint(0, 9), r.randint(1, 3),
                              r.randint(1, 2), r.choice(["p", "q"]), r.randint(0, 1), r.randint(1, 4),
                              r.randint(1, 4)])
    return names, lines


def ratings(days=12):
    r = random.Random(4)
    names = ["known_date", "horse_id", "h", "a", "b", "rating", "class", "a.b", "r", "x", "seen", "won"]
    return names, [[datetime.date(2024, 1, 1) + datetime.timedelta(days=day), horse, horse, r.randint(1, 3),
                    r.randint(1, 2), r.randint(40, 90), r.choice("ABC"), r.randint(1, 9), r.randint(1, 99),
                    r.randint(0, 3), f"{datetime.date(2024, 1, 2) + datetime.timedelta(days=day)}", r.randint(0, 1)]
                   for day in range(days) for horse in range(1, 5)]


def horses():
    r = random.Random(5)
    names = ["horse_id", "h", "sire", "sire_id", "dam", "s", "age", "height"]
    return names, [[horse, horse, r.choice("ST"), r.randint(1, 5), r.choice("DE"), r.choice("uv"), r.randint(2, 12),
                    round(r.uniform(1, 2), 2)] for horse in range(1, 9)]


MADE_UP = {"entries": entries, "ratings": ratings, "horses": horses}


def made_up_tables(spec, directory):
    tables = []
    for name, entry in spec["tables"].items():
        if name.startswith("#"):
            continue
        if name not in MADE_UP:
            raise Refused(f"no made-up table {name}")
        names, lines = MADE_UP[name]()
        path = directory / f"{name}.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([names] + lines)
        if not {entry[role] for role in ("time", "group", "key") if role in entry} <= set(names):
            raise Refused(f"table {name} has other columns")
        roles = "".join(f",{role}={entry[role]}" for role in ("time", "group", "key") if role in entry)
        tables.append(Table(f"{name}={path}{roles}"))
    return tables


# ---- tests ----

def test_football_sees_nothing_of_the_future():
    def run(directory):
        table = Table(f"appearances={cli.FOOTBALL}/appearances.csv,time=match_date,group=match_id")
        assert Case(cli.FOOTBALL / "spec.json", [table], directory).check(4) >= 2
    scratch_kept_on_failure(run)


def test_races_see_nothing_of_the_future():
    def run(directory):
        table = Table(f"entries={cli.RACES}/small/races.csv.gz,time=race_date,group=race_id")
        assert Case(cli.RACES / "races30.json", [table], directory).check(3) >= 2
    scratch_kept_on_failure(run)


def test_the_specs_of_the_unit_tests_see_nothing_of_the_future():
    ran, seen, refused = 0, 0, []
    for path in sorted((cli.ROOT / "tests/unit/specs/good").glob("*.json")):
        def run(directory):
            return Case(path, made_up_tables(json.loads(path.read_text(encoding="utf-8")), directory),
                        directory).check(2)
        try:
            seen += scratch_kept_on_failure(run) > 0
            ran += 1
        except Refused as error:
            refused.append(f"{path.stem}: {str(error).strip()[-160:]}")
    print(f"# {ran} specs ran, {seen} of them read results; not for these tables:", *refused, sep="\n#   ")
    assert ran >= 30 and seen >= 10, (ran, seen)


def test_random_specs_see_nothing_of_the_future():
    """So many specs, and more of them until enough have shown that they read results: about one in eight does."""
    cases, seen, specs, enough = 0, 0, 0, max(RANDOM_SPECS // 8, 1)
    while specs < RANDOM_SPECS or (seen < enough and specs < 4 * RANDOM_SPECS):
        def run(directory):
            arguments = random_spec.write_case(FIRST_SEED + specs, directory)
            case = Case(directory / "spec.json", [Table(a) for a in arguments], directory)
            return case.check(3), case.cases
        controls, compared = scratch_kept_on_failure(run)
        cases, seen, specs = cases + compared, seen + (controls > 0), specs + 1
    print(f"# {specs} seeds from {FIRST_SEED}: {cases} changes of the future, {seen} specs read results")
    assert seen >= enough, seen


DELAYED = {
    "spec": 1,
    "tables": {"runs": {"time": "day", "group": "race", "result_columns": ["finish"],
                        "columns": {"won": "finish == 1"}}},
    "target": {"table": "runs"},
    "features": {
        "n": {"calc": "count_if(won)", "by": "horse"}, "m": {"calc": "mean(finish)", "by": "horse", "last": 3},
        "s": {"calc": "slope(finish)", "by": "horse", "days": 6}, "p": {"calc": "rate(won)", "by": "horse", "prior": 2},
        "t": {"calc": "mean(finish)", "by": "horse", "where": "draw == target.draw"}}}


def delayed_case(directory, **members):
    r = random.Random(6)
    spec = {**DELAYED, "features": {n: {**f, **members} for n, f in DELAYED["features"].items()}}
    (directory / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    with open(directory / "runs.csv", "w", encoding="utf-8") as file:
        file.write("day,race,horse,draw,seen,finish\n")
        for day in range(20):
            date = datetime.date(2024, 2, 20) + datetime.timedelta(days=day)
            for runner in range(6):
                seen = "" if r.random() < 0.1 else date + datetime.timedelta(days=r.choice([0, 1, 4]))
                file.write(f"{date},{day},{r.randint(1, 4)},{runner % 3},{seen},{r.randint(1, 3)}\n")
    return Case(directory / "spec.json", [Table(f"runs={directory}/runs.csv,time=day,group=race")], directory)


def test_rows_within_the_delay_are_the_future_too():
    def run(directory):
        case = delayed_case(directory, delay_days=3)
        assert case.check(6, lambda table, row, edge: moment(row["day"]) >= edge - 3 * DAY) >= 5
    scratch_kept_on_failure(run)


def test_rows_that_were_not_known_are_the_future_too():
    def run(directory):
        case = delayed_case(directory, known_at="seen")
        assert case.check(6, lambda table, row, edge: moment(row["day"]) >= edge or not row["seen"]
                          or moment(row["seen"]) >= edge) >= 5
    scratch_kept_on_failure(run)


def test_a_day_too_much_is_noticed():
    """The comparison itself: with rows of the day before the cutoff counted as future, it must fail."""
    def run(directory):
        case = delayed_case(directory)
        try:
            case.check(6, lambda table, row, edge: moment(row["day"]) >= edge - DAY)
        except AssertionError:
            return
        raise AssertionError("no feature changed with yesterday's results")
    scratch_kept_on_failure(run)


if __name__ == "__main__":
    tap.main()
