# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""test_mysql.py - snapshots from a real MariaDB: the same as from CSV, of one moment, and none at all when something goes
wrong on the way."""
import contextlib
import json
import os
import pathlib
import pty
import resource
import shutil
import signal
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import cli
import hiwari
import mariadb
import snapshot
import tap

STACK = contextlib.ExitStack()
STARTED = []
ROWS = 60_000  # of `big`: more than the buffers between server and client hold


def server():
    if not STARTED:
        started = STACK.enter_context(mariadb.server("--character-set-server=utf8mb4"))
        started.sql("CREATE DATABASE d")
        started.sql("CREATE TABLE big (id INT PRIMARY KEY, day DATE NOT NULL, w VARCHAR(100)); "
                    f"INSERT INTO big SELECT seq, '2020-01-01' + INTERVAL seq DIV 100 DAY, REPEAT('x', 90) FROM seq_1_to_{ROWS}; "
                    "CREATE TABLE small (id INT PRIMARY KEY, day DATE NOT NULL, v INT); "
                    "INSERT INTO small VALUES (1, '2024-01-01', 10), (2, '2024-01-02', 20); ANALYZE TABLE big", "d")
        STARTED.append(started)
    return STARTED[0]


def arguments(out, *tables, url=None, more=()):
    wishes = [word for wish in tables or ("small,time=day",) for word in ("--table", wish)]
    return ["snapshot", "create", "--mysql", url or server().url("d"), *wishes, "--out", out, *more]


def create(out, *tables, url=None, more=(), **options):
    return cli.run(*arguments(out, *tables, url=url, more=more), **options)


def refused(code, *words, tables=(), url=None, more=(), **options):
    """Creating fails with this exit code and these words, and leaves nothing behind."""
    with cli.scratch() as tmp:
        done = create(tmp / "s", *tables, url=url, more=more, code=code, **options)
        cli.says(done.stderr, *words)
        assert not list(tmp.iterdir()), list(tmp.iterdir())
        return done.stderr


# ---- the same as from CSV ----

FOOTBALL_TABLE = """
CREATE TABLE appearances (match_id INT NOT NULL, match_date DATE NOT NULL, division VARCHAR(60) NOT NULL,
  team VARCHAR(60) NOT NULL, opponent VARCHAR(60) NOT NULL, is_home BOOL NOT NULL, goals_for TINYINT UNSIGNED,
  goals_against TINYINT UNSIGNED, points TINYINT UNSIGNED, PRIMARY KEY (match_id, is_home DESC))"""


def load_football():
    server().sql("DROP TABLE IF EXISTS appearances;" + FOOTBALL_TABLE + f"""; LOAD DATA LOCAL INFILE
        '{cli.FOOTBALL / "appearances.csv"}' INTO TABLE appearances CHARACTER SET utf8mb4 FIELDS TERMINATED BY ','
        OPTIONALLY ENCLOSED BY '"' IGNORE 1 LINES
        (match_id, match_date, division, team, opponent, is_home, @a, @b, @c)
        SET goals_for = NULLIF(@a, ''), goals_against = NULLIF(@b, ''), points = NULLIF(@c, '')""", "d")


def test_football_has_the_same_id_as_from_csv():
    load_football()
    with cli.scratch() as tmp:
        csv = cli.football_snapshot(tmp)
        create(tmp / "s", "appearances", more=["--spec", cli.FOOTBALL / "spec.json"])
        assert snapshot.identity(tmp / "s") == snapshot.identity(csv)


def test_decimals_floats_times_and_nulls_have_the_same_id_as_from_csv():
    server().sql("""DROP TABLE IF EXISTS same; CREATE TABLE same (id INT PRIMARY KEY, t DATETIME(3) NOT NULL,
        price DECIMAL(8,2), ratio DOUBLE, span TIME, word VARCHAR(20), far DECIMAL(14,8));
        INSERT INTO same VALUES (1, '2024-01-01 10:00:00.5', 1.50, 0.1, '00:01:35', 'a', 52.5200066),
        (2, '2024-01-01 11:00:00', NULL, 1e300, NULL, '', NULL), (3, '2024-01-02 00:00:00', -12.25, NULL, '-01:00:00', NULL, -0.00000001)""",
                 "d")
    with cli.scratch() as tmp:
        (tmp / "same.csv").write_text('id,t,price,ratio,span,word,far\n'
                                      '1,2024-01-01 10:00:00.500,1.50,0.1,00:01:35,a,52.52000660\n'
                                      '2,2024-01-01 11:00:00.000,,1e300,,"",\n'
                                      '3,2024-01-02 00:00:00.000,-12.25,,-01:00:00,,-0.00000001\n')
        cli.run("snapshot", "create", "--csv", f"same={tmp}/same.csv,time=t", "--out", tmp / "csv")
        create(tmp / "s", "same,time=t")
        assert snapshot.identity(tmp / "s") == snapshot.identity(tmp / "csv")


# ---- which rows, in which order ----

def test_rows_of_one_time_stand_in_order_of_the_primary_key():
    server().sql("""DROP TABLE IF EXISTS o; CREATE TABLE o (v INT, b INT, day DATE, a VARCHAR(9), PRIMARY KEY (b, a DESC));
        INSERT INTO o VALUES (1, 2, '2024-01-01', 'x'), (2, 1, '2024-01-02', 'y'), (3, 1, '2024-01-01', 'p'),
        (4, 1, '2024-01-01', 'q'), (5, -3, '2024-01-02', 'z')""", "d")
    with cli.scratch() as tmp:
        create(tmp / "s", "o,time=day")
        assert snapshot.column(tmp / "s", "o", "v") == [4, 3, 1, 5, 2]
        create(tmp / "g", "o,time=day,group=a")
        assert snapshot.column(tmp / "g", "o", "v") == [3, 4, 1, 2, 5]


def test_without_a_primary_key_rows_stand_in_order_of_all_columns():
    server().sql("""DROP TABLE IF EXISTS o; CREATE TABLE o (day DATE, w VARCHAR(9), v INT);
        INSERT INTO o VALUES ('2024-01-01', 'b', 1), ('2024-01-01', 'B', 9), ('2024-01-01', NULL, 3), ('2024-01-01', 'a', 5),
        ('2024-01-01', 'a', -5), ('2024-01-01', 'é', 0), ('2024-01-01', 'z', 0), ('2023-01-01', 'z', 7);
        CREATE OR REPLACE VIEW seen AS SELECT * FROM o""", "d")
    expected = [("z", 7), (None, 3), ("B", 9), ("a", -5), ("a", 5), ("b", 1), ("z", 0), ("é", 0)]
    with cli.scratch() as tmp:
        ids = set()
        for name, wish in (("table", "o"), ("view", "seen"), ("select", "o=SELECT * FROM o ORDER BY v DESC")):
            create(tmp / name, wish + ",time=day")
            assert snapshot.rows(tmp / name, wish[:4] if name == "view" else "o", "w", "v") == expected
            ids.add(snapshot.identity(tmp / name))
        assert len(ids) == 2  # the view has another name


def test_little_memory_gives_the_same_snapshot():
    wish = "big=SELECT day - INTERVAL (id * 7919 % 400) DAY AS day, id % 7 AS g, id, w, CONCAT('w', id % 9000) AS v FROM big,time=day,group=g"
    with cli.scratch() as tmp:
        create(tmp / "s", wish)
        create(tmp / "little", wish, more=["--memory", "1M"])
        assert snapshot.identity(tmp / "s") == snapshot.identity(tmp / "little")
        cli.run("snapshot", "verify", tmp / "little")


@contextlib.contextmanager
def set_globally(name, value):
    server().sql(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        server().sql(f"SET GLOBAL {name} = DEFAULT")


def test_a_limit_of_the_server_or_of_an_init_command_does_not_cut_a_table():
    with cli.scratch() as tmp:
        with set_globally("sql_select_limit", 1):
            create(tmp / "s", "small,time=day", "q=SELECT * FROM small,time=day")
        (tmp / "cnf").write_text('[hiwari]\ninit-command="SET sql_select_limit=0"\n')
        create(tmp / "t", "small,time=day", "q=SELECT * FROM small,time=day", more=["--defaults-file", tmp / "cnf"])
        for made, name in (("s", "small"), ("s", "q"), ("t", "small"), ("t", "q")):
            assert snapshot.column(tmp / made, name, "id") == [1, 2]


def test_modes_of_the_server_do_not_change_what_values_look_like():
    server().sql("""CREATE OR REPLACE TABLE `it's ``odd``` (`the "day"` DATE, word CHAR(9), PRIMARY KEY (`the "day"`));
        INSERT INTO `it's ``odd``` VALUES ('2024-01-01', 'ab')""", "d")
    wish = "it's `odd`,time=the \"day\""
    with cli.scratch() as tmp:
        create(tmp / "s", wish)
        for i, mode in enumerate(("PAD_CHAR_TO_FULL_LENGTH", "ANSI,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES",
                                  "ORACLE", "PAD_CHAR_TO_FULL_LENGTH,EMPTY_STRING_IS_NULL", "")):
            with set_globally("sql_mode", f"'{mode}'"):
                create(tmp / f"{i}", wish)
            assert snapshot.column(tmp / f"{i}", "it's `odd`", "word") == ["ab"], mode
            assert snapshot.identity(tmp / f"{i}") == snapshot.identity(tmp / "s"), mode


def test_selects_may_hold_commas_comments_and_a_semicolon():
    with cli.scratch() as tmp:
        create(tmp / "s", "q=  SELECT day, v * 2 AS w, 'a,time=b' AS t FROM small WHERE v IN (10,20) -- all ;  ,time=day")
        assert snapshot.rows(tmp / "s", "q", "w", "t") == [(20, "a,time=b"), (40, "a,time=b")]
        create(tmp / "w", "q=WITH x AS (SELECT 1 AS k, 2 AS v) SELECT * FROM x,key=k", "small,time=day")
        assert snapshot.rows(tmp / "w", "q", "k", "v") == [(1, 2)]


def test_rows_without_time_are_refused_or_left_out():
    server().sql("""DROP TABLE IF EXISTS n; CREATE TABLE n (id INT PRIMARY KEY, day DATE); SET sql_mode = '';
        INSERT INTO n VALUES (1, '2024-01-01'), (2, NULL), (3, '0000-00-00')""", "d")
    refused(65, "table n", "row 2", "day", "--drop-null-time", tables=["n=SELECT * FROM n WHERE id < 3,time=day"])
    refused(65, "table n", "row 3", "0000-00-00", tables=["n,time=day"], more=["--drop-null-time"])
    with cli.scratch() as tmp:
        done = create(tmp / "s", "n,time=day", more=["--drop-null-time", "--zero-dates", "null"])
        assert snapshot.column(tmp / "s", "n", "id") == [1]
        assert '"rows":2' in done.stderr.replace(" ", ""), done.stderr


# ---- only what is new ----

def append(out, old, *tables, more=(), **options):
    return create(out, *tables, more=["--append", old, *more], **options)


def days_until(day):
    """The table `runs` as it was at the end of that day; and `horses`, which is static."""
    server().sql(f"""CREATE OR REPLACE TABLE runs (id INT PRIMARY KEY, t DATETIME NOT NULL, race INT, horse VARCHAR(20),
          s DECIMAL(6,2));
        INSERT INTO runs SELECT seq, '2024-01-01' + INTERVAL seq * 10 MINUTE, seq DIV 8, CONCAT('h', seq * 7 % (40 + seq DIV 9)),
          IF(seq % 11, seq * 3.25, NULL) FROM seq_1_to_3000 WHERE '2024-01-01' + INTERVAL seq * 10 MINUTE < '{day}' + INTERVAL 1 DAY;
        CREATE OR REPLACE TABLE horses (horse VARCHAR(20) PRIMARY KEY, sire INT);
        INSERT INTO horses SELECT DISTINCT horse, id FROM runs GROUP BY horse""", "d")


def test_appending_gives_the_id_of_a_full_export():
    runs, horses = "runs,time=t,group=race", "horses,key=horse"
    select = "runs=SELECT id, t, race, horse, s FROM runs WHERE id % 3 > 0,time=t,group=race"
    with cli.scratch() as tmp:
        days_until("2024-01-10")
        create(tmp / "old", runs, horses)
        create(tmp / "old-select", select)
        days_until("2024-01-15")
        create(tmp / "full", runs, horses)
        append(tmp / "new", tmp / "old", "runs", "horses")
        assert snapshot.identity(tmp / "new") == snapshot.identity(tmp / "full") != snapshot.identity(tmp / "old")
        cli.run("snapshot", "verify", tmp / "new")
        create(tmp / "full-select", select)
        append(tmp / "new-select", tmp / "old-select", select)
        assert snapshot.identity(tmp / "new-select") == snapshot.identity(tmp / "full-select")

        # A late correction, and a late row: seen with as many days as it takes.
        server().sql("UPDATE runs SET s = 0.25, horse = 'zz' WHERE id = 1790; DELETE FROM runs WHERE id = 1999", "d")
        create(tmp / "corrected", runs, horses)
        append(tmp / "too-late", tmp / "new", runs, horses)
        assert snapshot.identity(tmp / "too-late") == snapshot.identity(tmp / "new")
        append(tmp / "in-time", tmp / "new", runs, horses, more=["--since", 4])
        assert snapshot.identity(tmp / "in-time") == snapshot.identity(tmp / "corrected")


def test_appending_reads_only_the_days_asked_for():
    days_until("2024-01-15")
    with cli.scratch() as tmp:
        create(tmp / "old", "runs,time=t,group=race")
        before = int(server().sql("SHOW GLOBAL STATUS LIKE 'Rows_sent'")[0][1])
        append(tmp / "new", tmp / "old", "runs")
        sent = int(server().sql("SHOW GLOBAL STATUS LIKE 'Rows_sent'")[0][1]) - before
        assert 144 <= sent < 200, sent  # a day has 144 rows


def test_appending_to_another_shape_is_refused():
    days_until("2024-01-10")
    with cli.scratch() as tmp:
        create(tmp / "old", "runs,time=t,group=race")
        for change, words in (("ADD COLUMN extra INT", "extra"), ("DROP COLUMN s", "column s"),
                              ("MODIFY s DOUBLE", "column s")):
            days_until("2024-01-11")
            server().sql(f"ALTER TABLE runs {change}", "d")
            done = append(tmp / "new", tmp / "old", "runs", code=65)
            cli.says(done.stderr, "runs", words, "--append")
            assert not (tmp / "new").exists()


def altered(*changes):
    for change in changes:
        server().sql(f"ALTER TABLE runs {change}", "d")


def test_appending_when_columns_or_the_primary_key_have_moved_is_refused():
    runs = "runs,time=t,group=race"
    select = "runs=SELECT id, t, race, horse, s FROM runs,time=t,group=race"
    with cli.scratch() as tmp:
        days_until("2024-01-10")
        create(tmp / "old", runs)
        create(tmp / "old-select", select)
        for changes, words in ((["MODIFY s DECIMAL(6,2) AFTER t"], ["column s", "column 3", "column 5"]),
                               (["DROP PRIMARY KEY, ADD PRIMARY KEY (horse, id)"], ["`horse`, `id`", "of `id`"]),
                               (["DROP PRIMARY KEY, ADD PRIMARY KEY (id DESC)"], ["`id` DESC", "of `id`"]),
                               (["DROP PRIMARY KEY"], ["all columns", "of `id`"])):
            days_until("2024-01-11")
            altered(*changes)
            done = append(tmp / "new", tmp / "old", "runs", code=65)
            cli.says(done.stderr, "table runs", "without --append", *words)
            assert not (tmp / "new").exists()
            append(tmp / "new-select", tmp / "old-select", select)
            create(tmp / "full-select", select)
            assert snapshot.identity(tmp / "new-select") == snapshot.identity(tmp / "full-select")
            shutil.rmtree(tmp / "new-select")
            shutil.rmtree(tmp / "full-select")
        days_until("2024-01-11")
        append(tmp / "new", tmp / "old", "runs")
        days_until("2024-01-12")
        altered("DROP PRIMARY KEY")
        cli.says(append(tmp / "next", tmp / "new", "runs", code=65).stderr, "all columns", "of `id`")


def test_appending_names_the_row_that_is_wrong_among_those_that_are_read():
    days_until("2024-01-10")
    with cli.scratch() as tmp:
        create(tmp / "old", "runs,time=t,group=race")
        days_until("2024-01-11")
        server().sql("ALTER TABLE runs MODIFY t DATETIME; UPDATE runs SET horse = CHAR(0) WHERE id = 1297", "d")
        said = append(tmp / "new", tmp / "old", "runs", code=65).stderr
        number = int(server().sql("SELECT COUNT(*) FROM runs WHERE t >= '2024-01-10' AND id <= 1297", "d")[0][0])
        cli.says(said, f"row {number} of those from 2024-01-10 on in order of the primary key", "NUL")
        server().sql("UPDATE runs SET horse = 'h', t = NULL WHERE id = 1298", "d")
        server().sql("UPDATE runs SET horse = 'h' WHERE id = 1297", "d")
        said = append(tmp / "new", tmp / "old", "runs", code=65).stderr
        cli.says(said, f"row {number + 1} of those from 2024-01-10 on in order of the primary key", "t")


# ---- one moment ----

def test_engines_without_transactions_are_warned_of():
    server().sql("CREATE OR REPLACE VIEW all_small AS SELECT * FROM small", "d")
    select = "q=SELECT * FROM small,time=day"
    with cli.scratch() as tmp:
        said = create(tmp / "none", "small,time=day", "all_small,time=day", select).stderr
        assert "transactions" not in said, said
        server().sql("CREATE TABLE old_small ENGINE=MyISAM AS SELECT * FROM small; "
                     "CREATE OR REPLACE VIEW all_small AS SELECT * FROM old_small", "d")
        try:
            said = create(tmp / "table", "old_small,time=day").stderr
            assert said.count("no transactions") == 1 and "MyISAM" in said, said
            for name, wish in (("view", "all_small,time=day"), ("select", select)):
                said = create(tmp / name, wish, "small,time=day").stderr
                cli.says(said, "cannot be seen", "d.old_small (MyISAM)")
                assert said.count("no transactions") == 1, said
            assert "transactions" not in create(tmp / "small", "small,time=day").stderr
        finally:
            server().sql("DROP TABLE old_small; DROP VIEW all_small", "d")


@contextlib.contextmanager
def stopped_export(out, *tables, at=3, point="mysql-rows", more=()):
    """An export that has stopped by itself after some hundred rows of its first table. Goes on with the block's end."""
    if not hiwari.has_faults():
        raise tap.Skip("a release build has no faults")
    env = {**os.environ, "HIWARI_FAULT": f"stop:{point}:{at}"}
    process = subprocess.Popen([str(a) for a in (cli.HIWARI, *arguments(out, *tables, more=more))], env=env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        cli.wait_until(lambda: is_stopped(process), "the export has stopped")
        yield process
        process.send_signal(signal.SIGCONT)
        process.said = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()


def is_stopped(process):
    assert process.poll() is None, process.communicate()
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def transfer(n):
    """What one row loses the other wins; and both get a new row."""
    return (f"START TRANSACTION; UPDATE hers SET v = v - {n % 7 + 1} WHERE id = {n % 20000 + 1}; "
            f"UPDATE his SET v = v + {n % 7 + 1} WHERE id = {n % 20000 + 1}; "
            f"INSERT INTO hers VALUES ({50000 + n}, '2024-01-01', {n}); INSERT INTO his VALUES ({50000 + n}, '2024-01-01', -{n}); "
            "COMMIT;\n")


def test_a_writer_changes_rows_meanwhile_and_all_tables_are_of_one_moment():
    server().sql("""DROP TABLE IF EXISTS hers, his; CREATE TABLE hers (id INT PRIMARY KEY, day DATE, v INT);
        CREATE TABLE his LIKE hers; INSERT INTO hers SELECT seq, '2024-01-01', 500 FROM seq_1_to_20000;
        INSERT INTO his SELECT seq, '2024-01-01', -500 FROM seq_1_to_20000""", "d")
    with cli.scratch() as tmp, server().session("SELECT 1", "d") as writer:
        going = True

        def write():
            n = 0
            while going:
                writer.stdin.write("".join(transfer(n + i) for i in range(20)))
                writer.stdin.flush()
                n += 20

        def done():
            return int(server().sql("SELECT COUNT(*) FROM his", "d")[0][0]) - 20000

        with in_thread(write):
            try:
                cli.wait_until(lambda: done() > 50, "the writer is at work")
                with stopped_export(tmp / "s", "hers,time=day", "his,time=day") as export:
                    begun = done()
                    cli.wait_until(lambda: done() > begun + 500, "the writer goes on during the export")
            finally:
                going = False
        assert export.returncode == 0, export.said
        hers, his = (dict(snapshot.rows(tmp / "s", name, "id", "v")) for name in ("hers", "his"))
        assert 20050 <= len(hers) == len(his) <= 20000 + begun
        assert all(hers[i] + his[i] == 0 for i in hers), [i for i in hers if hers[i] + his.get(i, 0)][:9]


@contextlib.contextmanager
def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)


# ---- what goes wrong on the way ----

def interrupted(code, *words, during, tables=("big,time=day", "small,time=day"), again=True):
    """Something happens after some hundred rows: this exit code and these words, nothing left, and a rerun works."""
    with cli.scratch() as tmp:
        with stopped_export(tmp / "s", *tables) as export:
            during()
        assert export.returncode == code, (export.returncode, export.said)
        cli.says(export.said[1], *words)
        assert not list(tmp.iterdir()), list(tmp.iterdir())
        if again:
            create(tmp / "s", *tables)
            assert len(snapshot.column(tmp / "s", "big", "id")) == ROWS


def reader_id():
    """The connection of the export: the one that sends rows of `big`."""
    rows = server().sql("SELECT id FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT * FROM `big`%'")
    assert len(rows) == 1, rows
    return rows[0][0]


def test_the_server_dies_in_the_middle():
    def die():
        server().kill()
        server().start()
    interrupted(69, "table big", "after", "rows", "nothing was written", during=die)


def test_the_query_is_killed():
    interrupted(75, "table big", "killed", "can be run again", during=lambda: server().sql(f"KILL QUERY {reader_id()}"))


def test_the_connection_is_killed():
    with cli.scratch() as tmp:
        with stopped_export(tmp / "s", "big,time=day") as export:
            server().sql(f"KILL CONNECTION {reader_id()}")
        assert export.returncode in (69, 75), export.said
        cli.says(export.said[1], "table big", "can be run again")
        assert not list(tmp.iterdir())


def test_a_lock_is_not_waited_for_for_ever():
    server().sql("SET GLOBAL lock_wait_timeout = 1")
    try:
        with server().session("LOCK TABLES small WRITE", "d"):
            refused(75, "table small", "holds a lock", "PROCESSLIST", tables=["big,time=day", "small,time=day"])
    finally:
        server().sql("SET GLOBAL lock_wait_timeout = DEFAULT")
    with cli.scratch() as tmp:
        create(tmp / "s")


def test_the_servers_time_limit_is_named_with_its_way_out():
    slow = "slow=SELECT id, day, SLEEP(0.2) AS s FROM big,time=day"
    server().sql("SET GLOBAL max_statement_time = 1")
    try:
        refused(75, "table slow", "max_statement_time", "init-command", tables=[slow])
        with cli.scratch() as tmp:
            (tmp / "cnf").write_text('[hiwari]\ninit-command="SET max_statement_time=0"\n')
            create(tmp / "s", "slow=SELECT id, day, SLEEP(0.2) AS s FROM big LIMIT 10,time=day",
                   more=["--defaults-file", tmp / "cnf"])
    finally:
        server().sql("SET GLOBAL max_statement_time = DEFAULT")


def test_tables_are_not_altered_before_their_turn():
    tables = ("big,time=day", "small,time=day", "s=SELECT * FROM other,time=day")
    server().sql("CREATE OR REPLACE TABLE other LIKE small; INSERT INTO other SELECT * FROM small", "d")
    with cli.scratch() as tmp:
        with stopped_export(tmp / "s", *tables) as export:
            alters = [threading.Thread(target=server().sql, args=(f"ALTER TABLE {name} ADD COLUMN extra INT DEFAULT 7", "d"))
                      for name in ("small", "other")]
            for alter in alters:
                alter.start()
            cli.wait_until(lambda: len(server().sql("SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE "
                                                    "'Waiting for table metadata lock'")) == 2, "both wait")
        for alter in alters:
            alter.join(60)
        assert export.returncode == 0, export.said
        assert not (tmp / "s" / "small" / "extra.npy").exists() and not (tmp / "s" / "s" / "extra.npy").exists()
        create(tmp / "t", "small,time=day")
        assert snapshot.column(tmp / "t", "small", "extra") == [7, 7]
        server().sql("ALTER TABLE small DROP COLUMN extra", "d")


def test_a_column_added_after_the_begin_is_noticed():
    with cli.scratch() as tmp:
        with stopped_export(tmp / "s", "small,time=day", at=0, point="mysql-begun") as export:
            server().sql("ALTER TABLE small ADD COLUMN extra INT DEFAULT 7, ALGORITHM=COPY", "d")
        assert export.returncode == 75, export.said
        cli.says(export.said[1], "table small", "altered", "can be run again")
        assert not list(tmp.iterdir())
        create(tmp / "s", "small,time=day")
        assert snapshot.column(tmp / "s", "small", "extra") == [7, 7]
        server().sql("ALTER TABLE small DROP COLUMN extra", "d")


def test_a_full_disk_leaves_nothing():
    with cli.scratch() as tmp:
        done = create(tmp / "s", "big,time=day", code=73, preexec_fn=small_files)
        cli.says(done.stderr, "table big")
        assert not list(tmp.iterdir())


def small_files():
    """Files of at most 100 kB; writing beyond is an error."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_the_library_does_not_connect_again_by_itself():
    server().sql("CREATE OR REPLACE TABLE later LIKE small; INSERT INTO later SELECT * FROM small", "d")
    with cli.scratch() as tmp:
        (tmp / "cnf").write_text("[client]\nreconnect=1\n[hiwari]\nreconnect\n")
        with stopped_export(tmp / "s", "small,time=day", "later,time=day", at=0,
                            more=["--defaults-file", tmp / "cnf"]) as export:
            server().sql(f"KILL CONNECTION {sleeping_id()}")
            for name in ("small", "later"):
                server().sql(f"INSERT INTO {name} VALUES (3, '2024-01-03', 30)", "d")
        server().sql("DELETE FROM small WHERE id = 3", "d")
        assert export.returncode == 69, (export.returncode, export.said)
        cli.says(export.said[1], "table later", "can be run again")
        assert [path.name for path in tmp.iterdir()] == ["cnf"]


def sleeping_id():
    """The connection of an export whose first table is small: the server has sent all of it."""
    rows = server().sql("SELECT id FROM information_schema.PROCESSLIST WHERE DB = 'd' AND COMMAND = 'Sleep'")
    assert len(rows) == 1, rows
    return rows[0][0]


# ---- the command line ----

def test_what_is_misspelt_gets_a_did_you_mean():
    refused(65, "table smal", "did you mean 'small'", tables=["smal,time=day"])
    refused(65, "table small", "dya", "did you mean 'day'", tables=["small,time=dya"])
    refused(65, "table small", "its columns are id, day, v", tables=["small,time=day,group=horse"])
    refused(65, "table q", "vv", "1054", tables=["q=SELECT vv FROM small,time=day"])
    refused(65, "table q", "1064", tables=["q=SELECT FROM WHERE,time=day"])
    refused(65, "table q", "two columns named v", tables=["q=SELECT day, v, v FROM small,time=day"])
    refused(65, "table q", "'?'", tables=["q=SELECT day, ? AS v FROM small,time=day"])
    refused(65, "table q", "SELECT", tables=["q=DELETE FROM small,time=day"])
    refused(65, "table q", "gives no rows", tables=["q=SELECT * FROM small INTO @a, @b, @c,time=day"])
    refused(65, "time column v", "integer", tables=["small,time=v"])
    refused(65, "table q", "column 2 has no name", "AS", tables=["q=SELECT day, '' FROM small,time=day"])
    server().sql("CREATE TABLE gone AS SELECT * FROM small; CREATE OR REPLACE VIEW broken AS SELECT * FROM gone; "
                 "DROP TABLE gone", "d")
    refused(65, "table broken", "1356", "SHOW CREATE VIEW", tables=["broken,time=day"])
    server().sql("DROP VIEW broken", "d")
    refused(65, "'d.small'", "dot", "--table 'NAME=SELECT * FROM …'", tables=["d.small=SELECT * FROM small,time=day"])
    refused(64, "neither time nor key", tables=["small"])
    assert server().sql("SELECT COUNT(*) FROM small", "d") == [["2"]]


def test_the_command_line_says_what_is_missing():
    with cli.scratch() as tmp:
        out = ["--out", tmp / "s"]
        url = server().url("d")
        for words, *args in (("--table", "--mysql", url), ("--mysql", "--table", "small,time=day"), ("either", ),
                             ("either", "--mysql", url, "--csv", "a=b"), ("NAME", "--mysql", url, "--table", "=SELECT 1"),
                             ("NAME", "--mysql", url, "--table", "small,tme=day"),
                             ("--defaults-file", "--csv", "a=b", "--defaults-file", "c")):
            cli.says(cli.run("snapshot", "create", *args, *out, code=64).stderr, words)


def test_urls_that_are_none():
    socket = server().socket
    for url, words in (("d", "mysql://"), ("redis://localhost", "mysql://"), ("mysql://localhost:x/d", "port"),
                       ("mysql://[::1/d", "]"), ("mysql://localhost/d?sokcet=/x", "sokcet"),
                       ("mysql://localhost/d?ssl-mode=maybe", "verify"), (f"mysql://root@localhost/?socket={socket}", "no database")):
        refused(64, words, url=url)
    refused(78, "1049", "nosuch", url=server().url("nosuch"))
    refused(69, "2002", url="mysql://root@localhost/d?socket=/nonexistent/socket")
    refused(69, "MySQL on 127.0.0.1", url=f"mysql://root@127.0.0.1:{mariadb.free_port()}/d")


# ---- passwords ----

def reader(password="s3cret w#rd"):
    server().sql(f"CREATE OR REPLACE USER reader IDENTIFIED BY '{password}'; GRANT SELECT ON d.* TO reader")
    return password


def without_terminal(**more):
    """Nobody can be asked, and no option file of this machine is found."""
    return {"start_new_session": True, "env": {k: v for k, v in os.environ.items() if k != "MYSQL_PWD"} | more}


def test_a_password_in_the_url_is_refused_and_not_repeated():
    said = refused(64, "~/.my.cnf", url="mysql://reader:hush@localhost/d")
    assert "hush" not in said
    assert "hu/sh" not in refused(64, "port", url="mysql://reader:hu/sh@localhost/d")


def test_passwords_come_from_option_files_and_the_environment():
    password, url = reader(), server().url("d", "reader")
    with cli.scratch() as tmp:
        home = tmp / "home"
        home.mkdir()
        refused(78, "1045", "MYSQL_PWD", url=url, **without_terminal(HOME=str(home)))
        create(tmp / "a", url=url, **without_terminal(HOME=str(home), MYSQL_PWD=password))
        for group in ("client", "hiwari"):
            (tmp / f"{group}.cnf").write_text(f'[{group}]\npassword="{password}"\n')
            create(tmp / group, url=url, more=["--defaults-file", tmp / f"{group}.cnf"], **without_terminal(HOME=str(home)))
        (home / ".my.cnf").write_text(f'[client]\nuser=reader\npassword="{password}"\nsocket={server().socket}\n')
        create(tmp / "b", url="mysql:///d", **without_terminal(HOME=str(home)))
        refused(78, "no-such.cnf", url=url, more=["--defaults-file", tmp / "no-such.cnf"])
        (home / ".my.cnf").write_text('[client]\npassword="wrong"\n')
        refused(78, "1045", url=url, **without_terminal(HOME=str(home)))
        create(tmp / "c", url=url, more=["--defaults-file", tmp / "client.cnf"], **without_terminal(HOME=str(home)))


def test_an_option_file_that_is_none_is_refused():
    with cli.scratch() as tmp:
        home, file = tmp / "home", tmp / "cnf"
        home.mkdir()
        refused(78, str(tmp), "directory", more=["--defaults-file", tmp])
        (tmp / "more").mkdir()
        for text, words in (("user=root\n", "line 1"), ("[client]\n\n[client\nuser=root\n", "line 3"),
                            ("[client]\n=root\n", "line 2"),
                            ("[client]\nuser root\n", "line 2"), ("[client]\n!inclde x\n", "line 2"),
                            (f"[client]\n!include {tmp}/gone\n", "gone"), (f"!includedir {tmp}/gone\n", "gone"),
                            (f"!include {file}\n", "include each other"), ("[client]\nport=many\n", "port"),
                            ("[client]\nuser=ro\0ot\n", "NUL")):
            file.write_text(text)
            refused(78, str(file), words, more=["--defaults-file", file])
            (home / ".my.cnf").write_text(text)
            refused(78, ".my.cnf", words, **without_terminal(HOME=str(home)))
        (tmp / "more" / "a.cnf").write_text(f"[client]\nsocket={server().socket} # ours\n")
        (tmp / "more" / "b.txt").write_text("nothing of ours")
        file.write_text(f"; a comment\n[mysqld]\nwhatever they like\n !includedir {tmp}/more\n[client] # us\n"
                        "user = 'ro\\157t'\nuser=\"root\"\nno-such-option=1\nloose_nor_this\n")
        create(tmp / "s", url="mysql:///d", more=["--defaults-file", file])


def test_a_password_that_has_expired_and_a_locked_account_are_settings():
    password, url = reader(), server().url("d", "reader")
    with cli.scratch() as tmp:
        options = without_terminal(MYSQL_PWD=password, HOME=str(tmp))
        for change, *words in (("PASSWORD EXPIRE", "1820", "ALTER USER"), ("ACCOUNT LOCK", "4151", "ACCOUNT UNLOCK")):
            reader()
            server().sql(f"ALTER USER reader {change}")
            try:
                refused(78, *words, url=url, **options)
            finally:
                server().sql("DROP USER reader")


def test_a_terminal_is_asked_without_echo():
    password, url = reader(), server().url("d", "reader")
    with cli.scratch() as tmp:
        env = {k: v for k, v in os.environ.items() if k != "MYSQL_PWD"} | {"HOME": str(tmp)}
        pid, terminal = on_terminal(arguments(tmp / "s", url=url), env)
        said = read_terminal(terminal, until=b"Password of reader on localhost: ")
        assert password not in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        os.write(terminal, password.encode() + b"\n")
        said += read_terminal(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said
        assert password.encode() not in said and (tmp / "s" / "snapshot.json").exists()


def on_terminal(args, env):
    """Run hiwari on a terminal of its own; its pid, and our end of the terminal."""
    command = [str(a) for a in (cli.HIWARI, *args)]
    try:
        pid, terminal = pty.fork()
    except OSError as error:
        raise tap.Skip(f"no terminal can be had here: {error}") from error
    if pid == 0:
        os.execve(command[0], command, env)
    return pid, terminal


def read_terminal(terminal, until=None):
    """What appears, to the words, or to the end."""
    said = b""
    with contextlib.suppress(OSError):  # how a terminal says that the other side has gone
        while not until or until not in said:
            got = os.read(terminal, 4096)
            if not got:
                break
            said += got
    assert not until or until in said, said
    return said


def test_only_select_is_needed():
    reader()
    server().sql("GRANT SELECT (id, day) ON d.big TO reader; REVOKE SELECT ON d.* FROM reader; GRANT SELECT ON d.small TO reader")
    with cli.scratch() as tmp:
        options = without_terminal(MYSQL_PWD="s3cret w#rd", HOME=str(tmp / "none"))
        url = server().url("d", "reader")
        create(tmp / "s", "q=SELECT id, day FROM big WHERE id < 10,time=day", "small,time=day", url=url, **options)
        refused(78, "appearances", "needs SELECT", url=url, tables=["appearances,time=match_date"], **options)
        refused(78, "SELECT", url=url, tables=["big,time=day"], **options)


# ---- TLS ----

def certificates(directory):
    """A certificate authority, and a certificate of it for 127.0.0.1; another authority that has nothing to do with it."""
    def openssl(*words):
        done = subprocess.run(["openssl", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=directory)
        assert done.returncode == 0, done.stdout
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.pem")
    (directory / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:db.example\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db.example", "-keyout", "server.key", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", 30,
            "-extfile", "san", "-out", "server.pem")


def test_tls_with_verification():
    with cli.scratch() as tmp:
        certificates(tmp)
        server().stop()
        server().start(f"--ssl-ca={tmp}/ca.pem", f"--ssl-cert={tmp}/server.pem", f"--ssl-key={tmp}/server.key")
        server().sql("CREATE OR REPLACE USER safe IDENTIFIED BY 'x' REQUIRE SSL; GRANT SELECT ON d.* TO safe; "
                     "CREATE OR REPLACE USER bare REQUIRE SSL; GRANT SELECT ON d.* TO bare")
        options = without_terminal(MYSQL_PWD="x", HOME=str(tmp / "none"))

        def url(more, host="127.0.0.1"):
            return server().tcp_url("d", "safe", host, more)
        create(tmp / "a", url=url(f"?ssl-ca={tmp}/ca.pem"), **options)
        create(tmp / "b", url=url("?ssl-mode=required"), **options)
        (tmp / "cnf").write_text(f"[client]\nssl-ca={tmp}/ca.pem\nssl-verify-server-cert=1\n")
        create(tmp / "c", url=url(""), more=["--defaults-file", tmp / "cnf"], **options)
        refused(78, "ssl-ca", url=url(f"?ssl-ca={tmp}/other.pem"), **options)
        refused(78, "2026", url=url(f"?ssl-ca={tmp}/ca.pem", "localhost"), **options)  # a name that it does not have
        # Nobody whom this machine trusts has signed it. (A password would do: newer libraries prove with it who both are.)
        refused(78, "2026", url=server().tcp_url("d", "bare", "127.0.0.1", "?ssl-mode=verify"),
                **without_terminal(HOME=str(tmp / "none")))
        refused(78, "1045", url=url("?ssl-mode=disabled"), **options)
        (tmp / "cnf").write_text(f"[client]\nssl-ca={tmp}/other.pem\nssl-verify-server-cert=1\n")
        refused(78, "2026", url=url(""), more=["--defaults-file", tmp / "cnf"], **options)
        server().stop()
        server().options = [o for o in server().options if not o.startswith("--ssl")]
        server().start("--skip-ssl")
        refused(78, url=url("?ssl-mode=required"), **options)
        refused(78, url=url(f"?ssl-ca={tmp}/ca.pem"), **options)
        create(tmp / "plain", url=server().tcp_url("d", "reader", more="?ssl-mode=disabled"),
               **without_terminal(MYSQL_PWD=reader()))
        create(tmp / "socket")  # whatever the library's own default is


def no_password(tmp):
    return without_terminal(HOME=str(tmp / "none"))


@contextlib.contextmanager
def server_with_tls(tmp):
    """A server that shows a certificate of tmp/ca.pem, and lets `open` in with and without TLS."""
    certificates(tmp)
    before = list(server().options)
    server().stop()
    server().start(f"--ssl-ca={tmp}/ca.pem", f"--ssl-cert={tmp}/server.pem", f"--ssl-key={tmp}/server.key")
    try:
        server().sql("CREATE OR REPLACE USER open; GRANT SELECT ON d.* TO open")
        yield server()
    finally:
        server().stop()
        server().options = before
        server().start()


def with_option_file(tmp, url, *lines, code=0, words=()):
    """Creating with a file of these lines in [client]. With a code of failure and its words, it must fail so."""
    (tmp / "cnf").write_text("\n".join(["[client]", *lines]) + "\n")
    options = {"more": ["--defaults-file", tmp / "cnf"], **no_password(tmp)}
    if code:
        return refused(code, *words, url=url, **options)
    with cli.scratch() as out:
        return create(out / "s", url=url, **options).stderr


def test_a_wish_for_verification_is_heard_however_it_is_spelt():
    with cli.scratch() as tmp, server_with_tls(tmp) as running:
        url, other = running.tcp_url("d", "open"), f"ssl-ca={tmp}/other.pem"
        for verify in ("ssl-verify-server-cert", "ssl-verify-server-cert=TRUE", "ssl_verify_server_cert = on",
                       "tls-verify-peer=1", "loose-ssl-verify-server-cert", "enable-ssl-verify-server-cert",
                       "ssl-mode=VERIFY_IDENTITY", "ssl"):
            with_option_file(tmp, url, other, verify, code=78, words=["2026"])
            with_option_file(tmp, url, f"ssl-ca={tmp}/ca.pem", verify)
        # No authority that this machine trusts knows it.
        with_option_file(tmp, url, "ssl-verify-server-cert", code=78, words=["2026"])
        with_option_file(tmp, url, other, code=78, words=["2026"])  # who names an authority wants it to be asked
        name = running.tcp_url("d", "open", "localhost")  # that the certificate does not have
        with_option_file(tmp, name, f"ssl-ca={tmp}/ca.pem", code=78, words=["2026"])
        with_option_file(tmp, name, f"ssl-ca={tmp}/ca.pem", "skip-ssl-verify-server-cert")
        with_option_file(tmp, url, f"ssl-crl={tmp}/ca.pem", code=78, words=["2026"])
        for wrong in ("ssl-verify-server-cert=maybe", "ssl-verify-servercert", "ssl-mode=sometimes",
                      "tls-versoin=TLSv1.3"):
            with_option_file(tmp, url, wrong, code=78, words=["cnf, line 2", wrong.partition("=")[0]])


def test_the_url_has_the_last_word_about_tls():
    with cli.scratch() as tmp, server_with_tls(tmp) as running:
        def url(more):
            return running.tcp_url("d", "open", more=more)
        for weaker in ("ssl-verify-server-cert=0", "skip-ssl", "ssl-mode=disabled", f"ssl-ca={tmp}/ca.pem",
                       f"ssl-capath={tmp}"):
            for asked in (f"?ssl-mode=verify&ssl-ca={tmp}/other.pem", f"?ssl-ca={tmp}/other.pem"):
                with_option_file(tmp, url(asked), weaker, code=78, words=["2026"])
            with_option_file(tmp, url(f"?ssl-ca={tmp}/ca.pem"), weaker, f"ssl-ca={tmp}/other.pem")
        with_option_file(tmp, url("?ssl-mode=verify"), f"ssl-ca={tmp}/ca.pem")
        with_option_file(tmp, url("?ssl-mode=verify"), f"ssl-ca={tmp}/other.pem", code=78, words=["2026"])
        said = with_option_file(tmp, url("?ssl-mode=required"), "ssl-verify-server-cert")
        cli.says(said, "asks for more", "the URL counts")


def test_a_client_certificate_demands_encryption():
    with cli.scratch() as tmp:
        certificates(tmp)
        server().stop()
        server().start("--skip-ssl")
        try:
            server().sql("CREATE OR REPLACE USER open; GRANT SELECT ON d.* TO open")
            url = server().tcp_url("d", "open", more=f"?ssl-cert={tmp}/server.pem&ssl-key={tmp}/server.key")
            refused(78, "not encrypted", url=url, **no_password(tmp))
            with_option_file(tmp, server().tcp_url("d", "open"), f"ssl-cert={tmp}/server.pem",
                             f"ssl-key={tmp}/server.key", code=78, words=["not encrypted"])
            with cli.scratch() as out:
                create(out / "s", url=url + "&ssl-mode=disabled", **no_password(tmp))
        finally:
            server().stop()
            server().options.remove("--skip-ssl")
            server().start()


def test_a_certificate_that_cannot_be_read_is_named():
    with cli.scratch() as tmp:
        (tmp / "there.pem").write_text("")
        for parameter in ("ssl-ca", "ssl-cert", "ssl-key"):
            for path, words in ((tmp / "gone.pem", "No such file"), (tmp, "directory")):
                others = "".join(f"&{p}={tmp}/there.pem" for p in ("ssl-ca", "ssl-cert", "ssl-key") if p != parameter)
                refused(78, parameter, str(path), words, url=server().tcp_url("d", more=f"?{parameter}={path}{others}"))
        with_option_file(tmp, server().tcp_url("d"), f"ssl-ca={tmp}/gone.pem", code=78, words=["ssl-ca", "gone.pem"])


# ---- progress ----

def test_events_for_programs_and_a_bar_for_people():
    with cli.scratch() as tmp:
        done = create(tmp / "s", "big,time=day", "small,time=day", more=["--json"])
        assert json.loads(done.stdout)["rows"] == ROWS + 2
        events = [json.loads(line) for line in done.stderr.splitlines()]
        assert [(e["event"], e["table"], e["rows"]) for e in events if e["event"] == "read"] == [
            ("read", "big", ROWS), ("read", "small", 2)]
        assert all(e["bytes"] > 0 and e["rows_per_s"] >= 0 for e in events)
        env = {**os.environ, "HIWARI_FAULT": "slow:mysql-rows:40", "TERM": "xterm"}
        pid, terminal = on_terminal(arguments(tmp / "t", "big,time=day"), env)
        said = read_terminal(terminal).decode()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said
        if hiwari.has_faults():
            cli.says(said, "rows", "rows/s", "left", "MB", "big")


if __name__ == "__main__":
    with STACK:
        tap.main()
