"""The data sets: tables, their rows by our own generators from a fixed seed, and what is compared of each column.

Most rows are made by the source's server itself: each value follows from CRC32 of seed, place and row number, so all machines have the same.
The long texts come from here, by a generator of Python's standard library with the same seed.
"""

import os
import random
from dataclasses import dataclass, field


@dataclass
class Column:
    """A column; `kind` says how both sides are compared (check.py), `target` the type that the pipe by hand gives it."""

    name: str
    type: str
    kind: str
    target: str
    value: str
    null: bool = False
    # What the pipe by hand selects, where the client's text is not what COPY reads.
    by_hand: str = ""


@dataclass
class Table:
    name: str
    columns: list
    key: tuple
    rows: int
    # `%(name)s` of a table that is made of text from here; None for those whose rows the server makes.
    lines: object = None

    def create_mysql(self):
        columns = [f"`{c.name}` {c.type}{'' if c.null else ' NOT NULL'}" for c in self.columns]
        key = ", ".join(f"`{name}`" for name in self.key)
        return f"CREATE TABLE `{self.name}` ({', '.join(columns)}, PRIMARY KEY ({key}))"

    def create_postgres(self):
        columns = ", ".join(f'"{c.name}" {c.target}{"" if c.null else " NOT NULL"}' for c in self.columns)
        return f'CREATE TABLE "{self.name}" ({columns})'

    def key_postgres(self):
        key = ", ".join(f'"{name}"' for name in self.key)
        return f'ALTER TABLE "{self.name}" ADD PRIMARY KEY ({key})'

    def select_by_hand(self):
        return f"SELECT {', '.join(c.by_hand or f'`{c.name}`' for c in self.columns)} FROM `{self.name}`"


@dataclass
class DataSet:
    """Tables that are carried together: a database of the source and some of its tables."""

    name: str
    database: str
    tables: list = field(default_factory=list)

    @property
    def rows(self):
        return sum(table.rows for table in self.tables)


def chance(place, below):
    """SQL: a number from 0 to `below` that belongs to the row and the place."""
    return f"(CAST(CRC32(CONCAT_WS(':', @seed, {place}, seq)) AS SIGNED) % {below})"


def choice(place, *words):
    quoted = ", ".join(f"'{word}'" for word in words)
    return f"ELT(1 + {chance(place, len(words))}, {quoted})"


def text(place, least, most):
    """SQL: a piece of the pool of words that a session variable holds."""
    return f"SUBSTR(@pool, 1 + {chance(place, 60000)}, {least} + {chance(place + 500, most - least + 1)})"


def pool(seed, words=12000):
    """About 70 kB of words, ASCII, without anything that text formats escape."""
    made = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = [120, 90, 80, 75, 70, 70, 63, 60, 60, 43, 40, 28, 28, 24, 22, 24, 20, 19, 10, 15, 20, 8, 2, 1, 2, 1]
    known = ["".join(made.choices(letters, weights, k=made.randint(2, 10))) for _ in range(3000)]
    popular = [1 / (place + 10) for place in range(len(known))]
    return " ".join(made.choices(known, popular, k=words))


LINE = "(seq - 1)"
ORDER = f"({LINE} DIV 4)"


def lineitem(rows):
    """As of TPC-H: four lines to an order, sparse order numbers, words as comments."""
    price = lambda name, value: Column(name, "DECIMAL(15,2)", "number", "numeric(15,2)", value)
    date = lambda name, place: Column(name, "DATE", "date", "date", f"'1992-01-02' + INTERVAL {chance(place, 2526)} DAY")
    columns = [
        Column("l_orderkey", "BIGINT", "number", "bigint", f"{ORDER} DIV 8 * 32 + {ORDER} % 8 + 1"),
        Column("l_partkey", "INT", "number", "integer", f"1 + {chance(1, 200000)}"),
        Column("l_suppkey", "INT", "number", "integer", f"1 + {chance(2, 10000)}"),
        Column("l_linenumber", "INT", "number", "integer", f"1 + {LINE} % 4"),
        price("l_quantity", f"1 + {chance(3, 50)}"),
        price("l_extendedprice", f"900 + {chance(4, 10404950)} / 100"),
        price("l_discount", f"{chance(5, 11)} / 100"),
        price("l_tax", f"{chance(6, 9)} / 100"),
        Column("l_returnflag", "CHAR(1)", "text", "char(1)", choice(7, "A", "N", "R")),
        Column("l_linestatus", "CHAR(1)", "text", "char(1)", choice(8, "O", "F")),
        date("l_shipdate", 9),
        date("l_commitdate", 10),
        date("l_receiptdate", 11),
        Column("l_shipinstruct", "CHAR(25)", "text", "char(25)",
               choice(12, "DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN")),
        Column("l_shipmode", "CHAR(10)", "text", "char(10)", choice(13, "AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK")),
        Column("l_comment", "VARCHAR(44)", "text", "varchar(44)", text(14, 10, 43)),
    ]
    return Table("lineitem", columns, ("l_orderkey", "l_linenumber"), rows)


def orders(rows):
    columns = [
        Column("o_orderkey", "BIGINT", "number", "bigint", f"{LINE} DIV 8 * 32 + {LINE} % 8 + 1"),
        Column("o_custkey", "INT", "number", "integer", f"1 + {chance(20, 150000)}"),
        Column("o_orderstatus", "CHAR(1)", "text", "char(1)", choice(21, "O", "F", "P")),
        Column("o_totalprice", "DECIMAL(15,2)", "number", "numeric(15,2)", f"850 + {chance(22, 50000000)} / 100"),
        Column("o_orderdate", "DATE", "date", "date", f"'1992-01-01' + INTERVAL {chance(23, 2406)} DAY"),
        Column("o_orderpriority", "CHAR(15)", "text", "char(15)",
               choice(24, "1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW")),
        Column("o_clerk", "CHAR(15)", "text", "char(15)", f"CONCAT('Clerk#', LPAD({chance(25, 1000)}, 9, '0'))"),
        Column("o_shippriority", "INT", "number", "integer", "0"),
        Column("o_comment", "VARCHAR(79)", "text", "varchar(79)", text(26, 19, 78)),
    ]
    return Table("orders", columns, ("o_orderkey",), rows)


def wide(rows):
    """Sixty columns of every common type, each value one that PostgreSQL can hold as well."""
    columns = [Column("id", "INT", "number", "integer", "seq")]
    # A 24-bit whole number / 1024: exact as a FLOAT, and damaged by any text of six digits.
    single = lambda p: f"({chance(p, 16777216)} - 8388608) / 1024.0"
    double = lambda p: f"({chance(p, 4294967296)} * 256 + {chance(p + 500, 256)} - 549755813888) / CAST(1048576 AS DOUBLE)"
    moment = lambda p: f"'2001-02-03 04:05:06' + INTERVAL {chance(p, 600000000)} SECOND"
    kinds = [
        ("tiny", "TINYINT", "number", "smallint", lambda p: f"{chance(p, 256)} - 128", ""),
        ("flag", "TINYINT(1)", "number", "smallint", lambda p: chance(p, 2), ""),
        ("short", "SMALLINT", "number", "smallint", lambda p: f"{chance(p, 65536)} - 32768", ""),
        ("whole", "INT UNSIGNED", "number", "bigint", lambda p: chance(p, 4294967296), ""),
        ("big", "BIGINT", "number", "bigint", lambda p: f"{chance(p, 4294967296)} * -1000003", ""),
        # Most are beyond the largest signed number.
        ("huge", "BIGINT UNSIGNED", "number", "numeric(20,0)", lambda p: f"18446744073709551615 - {chance(p, 4294967296)} * 999", ""),
        ("money", "DECIMAL(15,4)", "number", "numeric(15,4)", lambda p: f"{chance(p, 4294967296)} / 10000 - 200000", ""),
        ("exact", "DECIMAL(65,30)", "number", "numeric(65,30)",
         lambda p: f"{chance(p, 4294967296)} / 10000 + CAST({chance(p + 500, 4294967296)} AS DECIMAL(65,30)) / 1000000000000000000000000000", ""),
        ("single", "FLOAT", "single", "real", single, "CAST(`{0}` AS DOUBLE)"),
        ("double", "DOUBLE", "double", "double precision", double, ""),
        ("day", "DATE", "date", "date", lambda p: f"'1970-01-01' + INTERVAL {chance(p, 25000)} DAY", ""),
        ("moment", "DATETIME", "moment", "timestamp(0)", moment, ""),
        ("instant", "DATETIME(6)", "moment", "timestamp(6)", lambda p: f"{moment(p)} + INTERVAL {chance(p + 500, 1000000)} MICROSECOND", ""),
        ("clock", "TIME", "clock", "time(0)", lambda p: f"SEC_TO_TIME({chance(p, 86400)})", ""),
        ("code", "CHAR(8)", "text", "char(8)", lambda p: f"LPAD(HEX({chance(p, 4294967296)}), 8, '0')", ""),
        ("name", "VARCHAR(60)", "text", "varchar(60)", lambda p: f"CONCAT('Zoë ', {text(p, 1, 40)})", ""),
        ("note", "TEXT", "text", "text", lambda p: text(p, 20, 200), ""),
        ("state", "ENUM('new','paid','sent','returned')", "text", "text", lambda p: choice(p, "new", "paid", "sent", "returned"), ""),
        ("digest", "VARBINARY(20)", "bytes", "bytea", lambda p: f"UNHEX(LEFT(SHA1({chance(p, 4294967296)}), 40))",
         "IF(`{0}` IS NULL, NULL, CONCAT(CHAR(92), 'x', HEX(`{0}`)))"),
        ("extra", "JSON", "json", "jsonb",
         lambda p: f"JSON_OBJECT('n', {chance(p, 100000)}, 's', {text(p + 500, 5, 20)})", ""),
    ]
    place = 100
    for turn in (1, 2, 3):
        for name, type_, kind, target, value, by_hand in kinds:
            if len(columns) == 60:
                break
            place += 1
            full = f"{name}_{turn}"
            # The first turn has no NULLs, the others one in twenty.
            made = value(place) if turn == 1 else f"IF({chance(place + 800, 20)} = 0, NULL, {value(place)})"
            columns.append(Column(full, type_, kind, target, made, turn > 1, by_hand.format(full)))
    return Table("wide", columns, ("id",), rows)


def documents(rows, seed):
    """Long texts of words and a few letters beyond ASCII, about 20 kB each."""
    columns = [
        Column("id", "INT", "number", "integer", ""),
        Column("title", "VARCHAR(200)", "text", "varchar(200)", ""),
        Column("created", "DATETIME", "moment", "timestamp(0)", ""),
        Column("body", "MEDIUMTEXT", "text", "text", ""),
    ]

    def lines():
        made = random.Random(seed + 1)
        words = pool(seed + 2, 400000)
        words = words[: len(words) // 2] + words[len(words) // 2 :].replace("qu", "ü").replace("xt", "é")
        last = len(words) - 400
        for row in range(1, rows + 1):
            pieces = []
            left = made.randint(18000, 22000)
            while left > 0:
                start, length = made.randint(0, last), made.randint(40, 300)
                pieces.append(words[start : start + length])
                left -= length
            title = words[start : start + made.randint(10, 120)]
            created = f"20{made.randint(0, 23):02}-{made.randint(1, 12):02}-{made.randint(1, 28):02} {made.randint(0, 23):02}:00:01"
            yield f"{row}\t{title}\t{created}\t{'. '.join(pieces)}\n"

    return Table("documents", columns, ("id",), rows, lines)


def small(tables, rows):
    def one(number):
        columns = [
            Column("id", "INT", "number", "integer", "seq"),
            Column("name", "VARCHAR(40)", "text", "varchar(40)", text(900 + number, 5, 30)),
            Column("amount", "DECIMAL(10,2)", "number", "numeric(10,2)", f"{chance(40 + number, 100000)} / 100"),
            Column("made", "DATETIME", "moment", "timestamp(0)", f"'2020-01-01' + INTERVAL {chance(60 + number, 100000000)} SECOND"),
        ]
        return Table(f"small_{number:03}", columns, ("id",), rows)

    return [one(number) for number in range(1, tables + 1)]


# Rows at scale 1.
FULL = {"lineitem": 6001215, "orders": 1500000, "wide": 200000, "documents": 60000, "small": 500}


def data_sets(wanted, sizes, seed):
    """The data sets by their names, in the order of FULL; `all` is the first four in one database, carried together."""
    makers = {"lineitem": lineitem, "orders": orders, "wide": wide, "documents": lambda rows: documents(rows, seed)}
    tables = {name: maker(sizes[name]) for name, maker in makers.items() if name in wanted or "all" in wanted}
    sets = [DataSet(name, "bench", [table]) for name, table in tables.items() if name in wanted]
    if "all" in wanted:
        sets.append(DataSet("all", "bench", list(tables.values())))
    if "small" in wanted:
        sets.append(DataSet("small", "small", small(sizes["small"], 100)))
    return sets


def fill(servers, sets, seed, say):
    """Makes the databases of the source, and reads them once, so that their pages are in memory."""
    filled = {}
    for one in sets:
        for table in one.tables:
            filled.setdefault(one.database, {})[table.name] = table
    for database, tables in filled.items():
        say(f"making {database}: {len(tables)} tables, {sum(table.rows for table in tables.values()):,} rows")
        servers.mysql(f"DROP DATABASE IF EXISTS `{database}`; CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
        start = f"SET sql_log_bin = 0; SET time_zone = '+00:00'; SET @seed = {seed}; SET @pool = CAST('{pool(seed)}' AS CHAR CHARACTER SET latin1);"
        script = [start]
        for table in tables.values():
            script.append(table.create_mysql() + ";")
            if table.lines is None:
                values = ", ".join(c.value for c in table.columns)
                script.append(f"INSERT INTO `{table.name}` SELECT {values} FROM seq_1_to_{table.rows};")
            else:
                script.append(load(servers, table))
            script.append(f"ANALYZE TABLE `{table.name}`; SELECT COUNT(*), MAX(`{table.columns[-1].name}`) > '' FROM `{table.name}`;")
        servers.mysql("\n".join(script), database)
        for table in tables.values():
            path = os.path.join(servers.folder, f"{table.name}.tsv")
            if os.path.exists(path):
                os.remove(path)


def load(servers, table):
    path = os.path.join(servers.folder, f"{table.name}.tsv")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(table.lines())
    return f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE `{table.name}` CHARACTER SET utf8mb4;"


def megabytes(servers, one):
    names = ", ".join(f"'{table.name}'" for table in one.tables)
    sql = f"SELECT ROUND(SUM(data_length) / 1000000) FROM information_schema.tables WHERE table_schema = '{one.database}' AND table_name IN ({names})"
    return int(servers.mysql(sql)[0][0])
