# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""test_mysql_types.py - every type of MariaDB at its extremes, value by value as the mariadb client prints it, and what a
snapshot refuses."""
import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import mariadb
import snapshot
import tap

# ---- one server for all tests of this file ----

STACK = contextlib.ExitStack()
STARTED = []


def server():
    if not STARTED:
        STARTED.append(STACK.enter_context(mariadb.server("--character-set-server=utf8mb4")))
        STARTED[0].sql("CREATE DATABASE d")
    return STARTED[0]


def table(columns, *rows, options=""):
    """A new table d.t with an id, a day and these columns; rows as SQL values."""
    values = ", ".join(f"({i}, '2024-01-31', {row})" for i, row in enumerate(rows, 1))
    server().sql("SET sql_mode = ''; SET time_zone = '+00:00'; DROP TABLE IF EXISTS t; CREATE TABLE t "
                 f"(id INT PRIMARY KEY, day DATE NOT NULL, {columns}) {options}; INSERT INTO t VALUES {values}", "d")


def create(out, *more, wish="t,time=day", code=0, **options):
    return cli.run("snapshot", "create", "--mysql", server().url("d"), "--table", wish, "--out", out, *more, code=code,
                   **options)


def printed(expression="v", columns=1):
    """What the client prints, in order of id; its NULL as None."""
    rows = server().sql(f"SET time_zone = '+00:00'; SELECT {expression} FROM t ORDER BY id", "d")
    assert all(len(row) == columns for row in rows), rows
    return [None if row[0] == "NULL" else row[0] for row in rows]


def found(type_words, *rows, columns=None, more=()):
    """The snapshot's values of `v`, of this SQL type; and the type they have there."""
    table(columns or f"v {type_words}", *rows)
    with cli.scratch() as tmp:
        create(tmp / "s", *more)
        cli.run("snapshot", "verify", tmp / "s")
        shown = cli.run_json("snapshot", "show", tmp / "s")
        kind = {c["name"]: c["type"] for c in shown["tables"][0]["columns"]}["v"]
        return kind, snapshot.column(tmp / "s", "t", "v")


def refused(type_words, row, *words, more=()):
    """Creating ends with 65, says these words, and leaves nothing behind."""
    table(f"v {type_words}", "NULL", row)
    with cli.scratch() as tmp:
        cli.says(create(tmp / "s", *more, code=65).stderr, "table t", "column v", *words)
        assert not list(tmp.iterdir()), list(tmp.iterdir())


# ---- numbers ----

def test_integers_of_every_width():
    for name, bits in (("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64)):
        low, high = -2**(bits - 1), 2**(bits - 1) - 1
        kind, values = found(name, low, high, 0, -1, "NULL")
        assert (kind, values) == ("integer", [low, high, 0, -1, None]), (name, kind, values)
        assert [str(v) for v in values[:4]] == printed()[:4]
        high = min(2**bits - 1, 2**63 - 1)
        kind, values = found(name + " UNSIGNED", 0, high, "NULL")
        assert (kind, values) == ("integer", [0, high, None]), (name, kind, values)
        assert [str(v) for v in values[:2]] == printed()[:2]


def test_bool_year_and_bit_are_integers():
    assert found("BOOL", "TRUE", "FALSE", "NULL") == ("integer", [1, 0, None])
    kind, values = found("YEAR", 1901, 2155, 0, "NULL")
    assert (kind, values) == ("integer", [1901, 2155, 0, None])
    assert [int(v) for v in printed()[:3]] == values[:3]
    for bits in (1, 8, 9, 63):
        kind, values = found(f"BIT({bits})", "b'0'", f"b'{'1' * bits}'", "NULL")
        assert (kind, values) == ("integer", [0, 2**bits - 1, None])
        assert [int(v) for v in printed("v + 0")[:2]] == values[:2]
    kind, values = found("INT(8) ZEROFILL", 42)
    assert (kind, values) == ("integer", [42])


def test_numbers_that_do_not_fit_name_the_column_and_the_way_out():
    refused("BIGINT UNSIGNED", 2**63, "9223372036854775808", "CAST(", "CHAR", "row 2")
    refused("BIT(64)", "b'" + "1" * 64 + "'", "18446744073709551615", "CAST(")
    refused("DECIMAL(65,0)", 2**63, "9223372036854775808", "CAST(")
    refused("DECIMAL(20,2)", "-12345678901234.56", "-12345678901234.56", "15 digits", "DOUBLE")
    refused("DECIMAL(65,30)", "0.1234567890123456", "15 digits", "DOUBLE")


def test_decimals_are_exact_and_keep_their_scale():
    for places in range(1, 7):
        most = "9" * (15 - places) + "." + "9" * places
        least = "0." + "0" * (places - 1) + "1"
        kind, values = found(f"DECIMAL(20,{places})", most, "-" + most, least, "-" + least, 0, "NULL")
        assert kind == f"decimal({places})", kind
        assert values[:5] == [float(text) for text in printed()[:5]] and values[5] is None
        assert [f"{v:.{places}f}" for v in values[:5]] == printed()[:5]
    kind, values = found("DECIMAL(19,0)", 2**53 + 1, -(2**63), 2**63 - 1, "NULL")
    assert (kind, values) == ("integer", [2**53 + 1, -(2**63), 2**63 - 1, None])
    kind, values = found("DECIMAL(20,10)", "0.0000000001", "123456789.25", "-99999.9999999999", "NULL")
    assert (kind, values) == ("float", [1e-10, 123456789.25, -99999.9999999999, None])


def test_floats_and_doubles():
    kind, values = found("DOUBLE", "1.7976931348623157e308", "-2.2250738585072014e-308", "0.1", "-0e0", "1e22", "NULL")
    assert kind == "float" and values[:5] == [float(text) for text in printed()[:5]] and values[5] is None
    assert str(values[3]) == "0.0"  # a snapshot has no -0
    kind, values = found("FLOAT", "3.40282347e38", "-1.17549435e-38", "0.1", "16777215", "1.5", "NULL")
    assert kind == "float" and values == [3.4028235e38, -1.1754944e-38, 0.1, 16777215.0, 1.5, None], values
    assert [f"{v:.6g}" for v in values[:5]] == [f"{float(text):.6g}" for text in printed()[:5]]
    kind, values = found("DOUBLE(10,2)", "1234.56", "NULL")
    assert (kind, values) == ("float", [1234.56, None])


# ---- times ----

def test_dates_and_times():
    kind, values = found("DATE", "'0001-01-01'", "'9999-12-31'", "'2024-02-29'", "'1969-12-31'", "NULL")
    assert kind == "date" and values[:4] == printed()[:4] and values[4] is None
    for places in (0, 3, 6):
        most = "'9999-12-31 23:59:59" + ("." + "9" * places if places else "") + "'"
        kind, values = found(f"DATETIME({places})", "'0001-01-01 00:00:00'", most, "'1969-12-31 23:59:59.5'", "NULL")
        assert kind == "timestamp" and values[3] is None
        assert [v.replace("T", " ") for v in values[:3]] == [_micros(text) for text in printed()[:3]]
    kind, values = found("TIMESTAMP(6) NULL", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'", "NULL")
    assert kind == "timestamp" and values[2] is None
    assert [v.replace("T", " ") for v in values[:2]] == [_micros(text) for text in printed()[:2]]


def _micros(text):
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<6}"


def test_a_timestamp_is_utc_whatever_the_zone_of_the_server():
    server().sql("SET GLOBAL time_zone = '+09:00'")
    try:
        kind, values = found("TIMESTAMP NULL", "'2024-01-31 15:00:00'")  # the test's session is in UTC
    finally:
        server().sql("SET GLOBAL time_zone = 'SYSTEM'")
    assert (kind, values) == ("timestamp", ["2024-01-31T15:00:00.000000"])


def test_time_is_text_as_the_server_shows_it():
    kind, values = found("TIME", "'838:59:59'", "'-838:59:59'", "'00:00:00'", "'9:05'", "NULL")
    assert kind == "string" and values == printed(), values
    kind, values = found("TIME(6)", "'838:59:59.000000'", "'-00:00:00.000001'", "'100:00:00.5'", "NULL")
    assert kind == "string" and values == printed(), values
    kind, values = found("TIME(2)", "'12:34:56.78'")
    assert values == printed() == ["12:34:56.78"]


def test_zero_dates_are_an_error_or_null():
    for type_words, text in (("DATE", "0000-00-00"), ("DATE", "2024-00-15"), ("DATETIME", "2024-01-00 10:00:00"),
                             ("TIMESTAMP NULL", "0000-00-00 00:00:00"), ("DATE", "0000-05-06")):
        refused(type_words, f"'{text}'", text[:10], "row 2", "--zero-dates null")
        _, values = found(type_words, f"'{text}'", "'2024-01-31'", more=["--zero-dates", "null"])
        assert values[0] is None and values[1].startswith("2024-01-31")


# ---- text ----

TEXTS = {"latin1": "Zürich ÿ", "cp1251": "Щука", "cp932": "日本語 ソ", "sjis": "日割り", "ujis": "芝良", "gbk": "中文",
         "koi8r": "Ёж", "utf8mb3": "日本 ß", "utf8mb4": "𠮷野家 🐎", "ucs2": "日割り", "utf16": "𠮷 🐎", "ascii": "plain"}


def test_text_of_every_charset_becomes_utf8():
    kinds = ("CHAR(20)", "VARCHAR(20)", "TEXT", "ENUM('{}','x')")
    columns, expected = [], []
    for charset, text in TEXTS.items():
        columns += [f"v{len(columns) + i} {kind.format(text)} CHARACTER SET {charset}" for i, kind in enumerate(kinds)]
        expected += [text] * len(kinds)
    table(", ".join(columns), ", ".join(f"'{text}'" for text in expected), ", ".join(["NULL"] * len(expected)))
    with cli.scratch() as tmp:
        create(tmp / "s")
        got = snapshot.rows(tmp / "s", "t", *(f"v{i}" for i in range(len(expected))))
        assert got == [tuple(expected), (None,) * len(expected)], got


def test_enum_and_set_are_text():
    assert found("ENUM('a','b c','')", "'b c'", "''", "NULL") == ("string", ["b c", "", None])
    assert found("SET('x','y','z')", "'z,x'", "''", "NULL") == ("string", ["x,z", "", None])
    assert found("UUID", "'123e4567-e89b-12d3-a456-426655440000'")[1] == ["123e4567-e89b-12d3-a456-426655440000"]


def test_long_and_empty_text():
    for type_words in ("TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "VARCHAR(16000)"):
        kind, values = found(type_words, "''", "REPEAT('é', 100)", "' a '", "'tab\\tnew\\nline \"q\" \\\\'", "NULL")
        assert (kind, values) == ("string", ["", "é" * 100, " a ", 'tab\tnew\nline "q" \\', None])
    kind, values = found("LONGTEXT", "'short'", "REPEAT('x', 4096)", "REPEAT('é', 100000)", "'s'", "REPEAT('y', 300000)",
                         "NULL", "'end'")
    assert values == ["short", "x" * 4096, "é" * 100000, "s", "y" * 300000, None, "end"]


def test_a_nul_byte_in_text_is_refused():
    refused("VARCHAR(20)", "'a\\0b'", "NUL", "REPLACE(")


# ---- what snapshots do not have ----

def test_blob_geometry_and_json_are_refused_all_at_once():
    table("ok INT, b BLOB, v VARBINARY(3), g GEOMETRY, j JSON", "1, 'x', 'y', POINT(1, 2), '{}'")
    with cli.scratch() as tmp:
        said = create(tmp / "s", code=65).stderr
        cli.says(said, "table t", "column b is BLOB", "column v is BLOB", "column g is GEOMETRY", "column j is JSON",
                 "HEX(", "ST_AsText(", "JSON_VALUE(", "leave it out")
        assert "column ok" not in said and not list(tmp.iterdir())
        create(tmp / "s", wish="t=SELECT day, ok, HEX(b) AS b, ST_X(g) AS x, JSON_VALUE(j, '$.n') AS n, "
               "CAST(j AS CHAR) AS j FROM t,time=day")
        assert snapshot.rows(tmp / "s", "t", "ok", "b", "x", "n", "j") == [(1, "78", 1.0, None, "{}")]


def test_expressions_have_the_types_that_the_server_gives_them():
    table("v INT", 1, 2, 5)
    select = ("SELECT day, SUM(v) AS s, AVG(v) AS a, COUNT(*) AS n, MAX(v) / 3e0 AS f, NULL AS nothing, 'x' AS w, "
              "CURRENT_DATE < '1970-01-01' AS no FROM t GROUP BY day")
    with cli.scratch() as tmp:
        create(tmp / "s", wish=f"sums={select};,time=day")
        shown = cli.run_json("snapshot", "show", tmp / "s")["tables"][0]["columns"]
        types = {c["name"]: c["type"] for c in shown}
        assert types == {"day": "date", "s": "integer", "a": "decimal(4)", "n": "integer", "f": "float",
                         "nothing": "float", "w": "string", "no": "integer"}, types
        got = snapshot.rows(tmp / "s", "sums", "s", "a", "n", "f", "nothing", "w", "no")
        assert got == [(8, 2.6667, 3, 5 / 3, None, "x", 0)], got


def test_a_column_without_any_value_has_its_declared_type():
    for type_words, kind in (("INT", "integer"), ("DECIMAL(8,2)", "decimal(2)"), ("VARCHAR(9)", "string"),
                             ("DATE", "date"), ("DOUBLE", "float")):
        assert found(type_words, "NULL", "NULL") == (kind, [None, None])


def test_names_with_every_kind_of_character():
    table("`we``ird, näme` INT, v INT", "7, 8")
    with cli.scratch() as tmp:
        create(tmp / "s")
        assert snapshot.column(tmp / "s", "t", "we`ird, näme") == [7]


if __name__ == "__main__":
    with STACK:
        tap.main()
