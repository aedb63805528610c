#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""hiwari features: rows that the snapshot does not have get the very columns that training got.

The rows of a date are taken out of the data, their results blanked, and given as a file; the text of every feature must be
the text in the batch's result for that date.
"""
import ast
import csv
import gzip
import io
import json
import math
import pathlib
import struct
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import small_runs
import tap

SPEC = cli.FOOTBALL / "spec.json"
RESULTS = ["goals_for", "goals_against", "points"]


def football_rows():
    with open(cli.FOOTBALL / "appearances.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path, rows, columns=None):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def blanked(rows, results):
    return [{name: "" if name in results else value for name, value in row.items()} for row in rows]


def lines_of(text):
    """The records as they are written, header first; no field here has a line break in it."""
    return text.splitlines()


def result_text(dest, key):
    with zipfile.ZipFile(dest / f"{key}.zip") as packed:
        return packed.read(f"{key}.csv").decode()


def without(text, columns):
    """The CSV text without some of its columns, as rows of fields."""
    table = list(csv.reader(io.StringIO(text)))
    keep = [i for i, name in enumerate(table[0]) if name not in columns]
    return [[row[i] for i in keep] for row in table]


def features(snapshot, spec, rows, out="-", **options):
    return cli.run("features", "--snapshot", snapshot, "--spec", spec, "--rows", rows, "--out", out, **options)


def football(tmp):
    """Snapshot, and the directory with all results of some dates."""
    snapshot = cli.football_snapshot(tmp)
    cli.football_run(snapshot, tmp / "out", "--from", "2017-05-13")
    return snapshot, sorted(p.stem for p in (tmp / "out").glob("*.zip"))


def test_a_date_of_football_without_results_has_the_features_of_training():
    with cli.scratch() as tmp:
        snapshot, days = football(tmp)
        everything = football_rows()
        for day in (days[0], days[4], days[-1]):
            rows = [row for row in everything if row["match_date"] == day]
            past = write(tmp / "past.csv", [row for row in everything if row["match_date"] < day])
            yesterday = tmp / f"until-{day}"
            cli.run("snapshot", "create", "--csv", f"appearances={past}", "--spec", SPEC, "--out", yesterday)
            file = write(tmp / "tomorrow.csv", blanked(rows, RESULTS))
            expected = without(result_text(tmp / "out", day), ["y_won"])
            for place in (snapshot, yesterday):
                done = features(place, SPEC, file)
                assert without(done.stdout, ["y_won"]) == expected, (day, place)
                assert {row["y_won"] for row in csv.DictReader(io.StringIO(done.stdout))} == {""}, day
            assert len(expected) == len(rows) + 1


def test_with_results_the_text_is_that_of_the_batch_byte_for_byte():
    with cli.scratch() as tmp:
        snapshot, days = football(tmp)
        rows = [row for row in football_rows() if row["match_date"] == days[2]]
        done = features(snapshot, SPEC, write(tmp / "rows.csv", rows))
        assert done.stdout == result_text(tmp / "out", days[2])
        cli.says(done.stderr, "note: the snapshot has rows of " + days[2], "groups are of the rows in")


def test_races_with_33_columns_have_the_features_of_training():
    with cli.scratch() as tmp:
        with gzip.open(cli.RACES / "small" / "races.csv.gz", "rt", newline="") as packed:
            everything = list(csv.DictReader(packed))
        spec = cli.RACES / "races30.json"
        write(tmp / "races.csv", everything)
        cli.run("snapshot", "create", "--csv", f"entries={tmp}/races.csv", "--spec", spec, "--out", tmp / "snapshot")
        days = sorted({row["race_date"] for row in everything})
        chosen = [days[0], days[40], days[len(days) // 2], days[-1]]
        (tmp / "keys").write_text("\n".join(chosen) + "\n")
        cli.run("run", "--snapshot", tmp / "snapshot", "--spec", spec, "--dest", tmp / "out", "--keys", tmp / "keys")
        for day in chosen:
            rows = [row for row in everything if row["race_date"] == day]
            columns = [name for name in rows[0] if name not in ("finish", "time_s")]
            file = write(tmp / "tomorrow.csv", rows, columns)
            assert features(tmp / "snapshot", spec, file).stdout == result_text(tmp / "out", day), day


def test_rows_are_written_in_the_order_of_the_file_and_computed_in_that_of_the_snapshot():
    with cli.scratch() as tmp:
        snapshot, days = football(tmp)
        rows = [row for row in football_rows() if row["match_date"] in days[-2:]]
        mixed = rows[1::2][::-1] + rows[0::2]
        done = features(snapshot, SPEC, write(tmp / "mixed.csv", mixed))
        expected = {}
        for day in days[-2:]:
            for line, record in zip(lines_of(result_text(tmp / "out", day))[1:],
                                    csv.DictReader(io.StringIO(result_text(tmp / "out", day)))):
                expected[record["match_id"], record["team"]] = line
        assert lines_of(done.stdout)[1:] == [expected[row["match_id"], row["team"]] for row in mixed]
        cli.says(done.stderr, "rows of several dates")


def test_groups_of_several_dates_with_one_name_are_kept_apart():
    with cli.scratch() as tmp:
        data = [("2024-01-01", "r1", "a", 1), ("2024-01-01", "r1", "b", 2), ("2024-01-02", "r1", "a", 2),
                ("2024-01-02", "r1", "b", 1)]
        columns = ["day", "race", "horse", "place"]
        rows = [dict(zip(columns, row)) for row in data]
        spec = {"spec": 1, "tables": {"runs": {"time": "day", "group": "race", "result_columns": ["place"]}},
                "target": {"table": "runs", "keep": ["race", "horse"]},
                "features": {"starts": {"calc": "count()", "by": "horse"},
                             "last": {"calc": "last(place)", "by": "horse"},
                             "size": {"calc": "size()", "within": "race"},
                             "rival": {"calc": "max(horse)", "within": "race", "others": True}}}
        (tmp / "spec.json").write_text(json.dumps(spec))
        write(tmp / "runs.csv", rows)
        cli.run("snapshot", "create", "--csv", f"runs={tmp}/runs.csv", "--spec", tmp / "spec.json", "--out", tmp / "s")
        write(tmp / "card.csv", [{"day": day, "race": "r9", "horse": horse} for day in ("2024-02-02", "2024-02-01")
                                 for horse in ("b", "a", "new one")])
        done = features(tmp / "s", tmp / "spec.json", tmp / "card.csv")
        assert done.stdout == ("day,race,horse,starts,last,size,rival\n"
                               "2024-02-02,r9,b,2,1,3,new one\n2024-02-02,r9,a,2,2,3,new one\n"
                               "2024-02-02,r9,new one,0,,3,b\n"
                               "2024-02-01,r9,b,2,1,3,new one\n2024-02-01,r9,a,2,2,3,new one\n"
                               "2024-02-01,r9,new one,0,,3,b\n"), done.stdout


def test_wrong_cutoffs_are_named_by_line():
    with cli.scratch() as tmp:
        head = "day,off,race,track,horse\n"
        (tmp / "runs.csv").write_text(head + "2024-01-01,2024-01-01,1,T,1\n")
        (tmp / "spec.json").write_text(json.dumps({
            "spec": 1, "tables": {"runs": {"time": "day"}}, "target": {"table": "runs", "cutoff": "off"},
            "features": {"n": {"calc": "size()", "within": ["race", "track"]}}}))
        cli.run("snapshot", "create", "--csv", f"runs={tmp}/runs.csv,time=day", "--out", tmp / "snapshot")
        file = tmp / "rows.csv"

        def refused(lines, *words):
            file.write_text(head + lines)
            cli.says(features(tmp / "snapshot", tmp / "spec.json", file, code=65).stderr, *words)

        # the rows are put into order of their days, so that those of lines 3 and 4 come first
        refused("2024-01-03,2024-01-03,1,T,1\n2024-01-02,2024-01-01,7,T,1\n2024-01-02,2024-01-02,7,T,2\n",
                "features.n: the group race,track = 7,T on 2024-01-02", f"{file}: line 3 (off 2024-01-01)",
                f"{file}: line 4 (off 2024-01-02)", "give them one 'off', or add 'off' to \"within\"")
        refused("2024-01-03,2024-01-03,1,T,1\n2024-01-02,,7,T,1\n", f"{file}: line 3", "'off' is null; fill it in")
        refused("2024-01-03,2024-01-04,1,T,1\n", f"{file}: line 2", "after the row's own time 'day'")


def test_a_value_that_does_not_fit_is_named_by_line_and_column():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        rows = blanked(football_rows()[-4:], RESULTS)
        wrong = {"is_home": "yes", "match_date": "28/05/2017", "match_id": "12.5"}
        for name, value in wrong.items():
            file = write(tmp / "rows.csv", rows[:2] + [{**rows[2], name: value}] + rows[3:])
            cli.says(features(snapshot, SPEC, file, tmp / "out.csv", code=65).stderr, "rows.csv: line 4", name, value)
        file = write(tmp / "rows.csv", rows[:1] + [{**rows[1], "match_date": ""}])
        cli.says(features(snapshot, SPEC, file, code=65).stderr, "line 3", "match_date", "empty")
        assert not (tmp / "out.csv").exists()


def test_missing_columns_are_named_unless_only_results_are():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        rows = football_rows()[-4:]
        columns = [name for name in rows[0] if name not in RESULTS]
        file = write(tmp / "rows.csv", rows, [name for name in columns if name not in ("team", "opponent")])
        cli.says(features(snapshot, SPEC, file, code=65).stderr, "team", "opponent")
        file = write(tmp / "rows.csv", rows, [name for name in columns if name != "match_date"])
        cli.says(features(snapshot, SPEC, file, code=65).stderr, "match_date")
        file = write(tmp / "rows.csv", [{**row, "weather": "fine"} for row in rows], ["weather", *columns])
        done = features(snapshot, SPEC, file)
        cli.says(done.stderr, "weather", "ignored")
        assert len(lines_of(done.stdout)) == 5
        file = write(tmp / "rows.csv", [{**row, "\x1b[2J天気": "fine"} for row in rows], ["\x1b[2J天気", *columns])
        said = features(snapshot, SPEC, file).stderr
        assert "ignored: ?[2J天気" in said and "\x1b" not in said, said


def test_an_empty_card_gives_the_header_and_a_team_never_seen_has_no_history():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        rows = blanked(football_rows()[-2:], RESULTS)
        header = lines_of(features(snapshot, SPEC, write(tmp / "rows.csv", rows)).stdout)[0]
        (tmp / "none.csv").write_text(",".join(rows[0]) + "\n")
        assert features(snapshot, SPEC, tmp / "none.csv").stdout == header + "\n"
        new = features(snapshot, SPEC, write(tmp / "new.csv", [{**rows[0], "team": "Nobody", "opponent": ""}])).stdout
        record = next(csv.DictReader(io.StringIO(new)))
        assert (record["team"], record["opponent"], record["played"], record["form"]) == ("Nobody", "", "0", "")


def array(packed, name):
    """An array of an npz as a list, by numpy's description of its format."""
    data = packed.read(f"{name}.npy")
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    body, (rows,), kind = data[10 + length:], header["shape"], header["descr"]
    if kind.startswith("<U"):
        width = 4 * int(kind[2:])
        return [body[width * i:width * (i + 1)].decode("utf-32-le").rstrip("\0") for i in range(rows)]
    return list(struct.unpack(f"<{rows}{'d' if kind == '<f8' else 'q'}", body))


def test_npz_has_the_arrays_of_the_csv():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        rows = blanked([{**row, "team": row["team"] + " and a far longer name than any before"}
                        for row in football_rows()[-6:]], RESULTS)
        file = write(tmp / "rows.csv", rows)
        features(snapshot, SPEC, file, tmp / "out.npz")
        features(snapshot, SPEC, file, tmp / "out.csv")
        with zipfile.ZipFile(tmp / "out.npz") as packed, open(tmp / "out.csv", newline="", encoding="utf-8") as text:
            records = list(csv.DictReader(text))
            assert [name.removesuffix(".npy") for name in packed.namelist()] == list(records[0])
            assert array(packed, "team") == [row["team"] for row in records] == [row["team"] for row in rows]
            assert all(math.isnan(value) for value in array(packed, "y_won"))
            assert [str(value) for value in array(packed, "played")] == [row["played"] for row in records]


def test_a_cutoff_that_cannot_be_is_named_by_its_line_and_earlier_races_of_the_day_are_history():
    with cli.scratch() as tmp:
        (tmp / "runs.csv").write_text("start,post,horse,place\n2024-01-01 10:00,2024-01-01 09:55,a,1\n"
                                      "2024-01-01 11:00,2024-01-01 10:55,a,2\n")
        spec = tmp / "spec.json"
        spec.write_text(json.dumps({"spec": 1, "tables": {"runs": {"time": "start", "result_columns": ["place"]}},
                                    "target": {"table": "runs", "cutoff": "post"},
                                    "features": {"places": {"calc": "sum(place)", "by": "horse"}}}))
        cli.run("snapshot", "create", "--csv", f"runs={tmp}/runs.csv", "--spec", spec, "--out", tmp / "s")
        card = tmp / "card.csv"
        card.write_text("start,post,horse\n2024-01-01 12:00,2024-01-01 11:55,a\n2024-01-01 10:59,2024-01-01 10:58,a\n"
                        "2024-01-01 11:00,2024-01-01 11:00,a\n")
        assert features(tmp / "s", spec, card).stdout == (
            "start,places\n2024-01-01 12:00:00,3\n2024-01-01 10:59:00,1\n2024-01-01 11:00:00,1\n")
        card.write_text("start,post,horse\n2024-01-01 13:00,2024-01-01 12:55,a\n2024-01-01 12:00,2024-01-01 12:01,a\n")
        cli.says(features(tmp / "s", spec, card, code=65).stderr, "card.csv: line 3", "post", "after the row's own time")
        card.write_text("start,post,horse\n2024-01-01 13:00,2024-01-01 12:55,a\n2024-01-01 12:00,,a\n")
        cli.says(features(tmp / "s", spec, card, code=65).stderr, "card.csv: line 3", "post", "null")


def test_rows_that_the_target_leaves_out_stay_in_their_groups():
    with cli.scratch() as tmp:
        snapshot, spec = small_runs.make(tmp, where="horse == 'b'")
        (tmp / "card.csv").write_text("day,race,horse,track,distance,known\n2024-02-10,r5,b,K,1200,\n"
                                      "2024-02-10,r6,b,New,1200,\n2024-02-10,r5,a,T,1200,\n")
        record = list(csv.DictReader(io.StringIO(features(snapshot, spec, tmp / "card.csv").stdout)))
        assert [(row["horse"], row["rating"], row["rival"], row["here"], row["sire"], row["at_K"]) for row in record] == [
            ("b", "80", "99", "2", "Ares", "1"), ("b", "80", "", "0", "Ares", "0")]


def test_the_file_s_ending_says_the_format():
    with cli.scratch() as tmp:
        snapshot = cli.football_snapshot(tmp)
        file = write(tmp / "rows.csv", football_rows()[-2:])
        cli.says(features(snapshot, SPEC, file, tmp / "out.parquet", code=64).stderr, ".csv or .npz")


if __name__ == "__main__":
    tap.main()
