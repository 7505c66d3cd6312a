"""The database that is carried: how it is made, what an application does to it, and its sums as each of the two servers computes them."""

from collections import Counter

# Each table: its columns with their texts in the SQL of MariaDB and of PostgreSQL. MD5 of a text and of bytes is the same in both.
TABLES = {
    "numbers": [("id", "CAST(id AS CHAR)", "id::text"), ("email", "email", "email"), ("amount", "CAST(amount AS CHAR)", "amount::text"),
                ("at", "DATE_FORMAT(at, '%Y-%m-%d %H:%i:%s.%f')", "to_char(at, 'YYYY-MM-DD HH24:MI:SS.US')"), ("v", "v", "v")],
    "times": [("at", "DATE_FORMAT(at, '%Y-%m-%d %H:%i:%s.%f')", "to_char(at, 'YYYY-MM-DD HH24:MI:SS.US')"),
              ("n", "CAST(n AS CHAR)", "n::text"), ("v", "v", "v")],
    "words": [("w", "w", "w"), ("v", "v", "v")],
    "keyless": [("v", "v", "v"), ("w", "CAST(w AS CHAR)", "w::text")],
    "wide": [("id", "CAST(id AS CHAR)", "id::text"), ("b", "b", "b"), ("t", "t", "t")],
    "children": [("id", "CAST(id AS CHAR)", "id::text"), ("of", "CAST(of AS CHAR)", "of::text"), ("note", "note", "note")],
    "empty": [("id", "CAST(id AS CHAR)", "id::text")],
}

SCHEMA = """
CREATE TABLE numbers (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(60) NOT NULL, amount DECIMAL(12,3), at DATETIME(3),
  v VARCHAR(700) NOT NULL, UNIQUE KEY by_email (email), KEY by_at (at));
CREATE TABLE times (at DATETIME(3) NOT NULL, n INT NOT NULL, v VARCHAR(700) NOT NULL, PRIMARY KEY (at, n));
CREATE TABLE words (w VARCHAR(40) NOT NULL PRIMARY KEY, v VARCHAR(700) NOT NULL);
CREATE TABLE keyless (v VARCHAR(700) NOT NULL, w INT, KEY by_w (w));
CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, b LONGBLOB, t LONGTEXT);
CREATE TABLE children (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, of BIGINT UNSIGNED NOT NULL, note VARCHAR(100), KEY by_of (of),
  CONSTRAINT of_number FOREIGN KEY (of) REFERENCES numbers (id) ON DELETE CASCADE);
CREATE TABLE empty (id INT NOT NULL PRIMARY KEY);
"""


def make(servers, database, dice, size):
    """An empty database is filled; `size` is about its megabytes, half of it in wide rows."""
    servers.mysql(f"DROP DATABASE IF EXISTS `{database}`; CREATE DATABASE `{database}`;")
    servers.mysql(SCHEMA, database)
    rows = size * 200
    servers.mysql(f"""
        INSERT INTO numbers SELECT seq * 2, CONCAT('e', seq, '@example.com'), IF(seq % 11 = 0, NULL, seq * 1.117),
          IF(seq % 13 = 0, NULL, '2024-01-01' + INTERVAL seq * 997 SECOND), REPEAT(MD5(seq), 1 + seq % 20) FROM seq_1_to_{rows * 2};
        INSERT INTO times SELECT '2024-01-01' + INTERVAL seq DIV 3 MINUTE, seq % 3, REPEAT(MD5(seq), 1 + seq % 20) FROM seq_1_to_{rows};
        INSERT INTO words SELECT CONCAT('w', LPAD(seq * 7919 % {rows}, 8, '0')), REPEAT(MD5(seq), 1 + seq % 20) FROM seq_1_to_{rows};
        INSERT INTO keyless SELECT REPEAT(MD5(seq DIV 3), 15), IF(seq % 17 < 3, NULL, seq DIV 3) FROM seq_1_to_{rows};
        INSERT INTO children SELECT seq, 2 + seq * 2, IF(seq % 5 = 0, NULL, CONCAT('child ', seq)) FROM seq_1_to_{rows};
    """, database)
    left, number = size << 19, 0
    while left > 0:
        number += 1
        length = min(left, dice.choice([10, 1000, 300_000, 1 << 20, 3 << 20, 6 << 20]))
        text, blob = dice.choice([("NULL", "UNHEX(REPEAT(MD5({n}), {r}))"), ("REPEAT(MD5({n}), {r})", "NULL"), ("REPEAT('é', {r})", "x'00ff'")])
        fill = {"n": number, "r": max(1, length // 32)}
        servers.mysql(f"INSERT INTO wide VALUES ({number * 3}, {blob.format(**fill)}, {text.format(**fill)});", database)
        left -= length
    servers.mysql("ANALYZE TABLE " + ", ".join(TABLES), database)


def write(servers, database, dice):
    """A transaction of an application. Gives what it did, in words."""
    seed = dice.randrange(1 << 30)
    changes = {
        "update": f"UPDATE numbers SET v = CONCAT('changed ', {seed}), amount = {seed % 9973}.125 WHERE id % 997 = {seed % 997};",
        "insert": f"INSERT INTO numbers (email, v) SELECT CONCAT('new', {seed}, '-', seq), 'inserted' FROM seq_1_to_20;"
                  f"INSERT INTO children (of, note) VALUES (LAST_INSERT_ID(), 'of a new one');",
        "insert in the midst": f"INSERT IGNORE INTO numbers (id, email, v) VALUES ({seed % 5000 * 2 + 1}, 'odd{seed}', 'in the midst');",
        "delete with children": f"DELETE FROM numbers WHERE id % 499 = {seed % 499};",
        "swap unique values": f"UPDATE numbers SET email = CONCAT('x', {seed}) WHERE id = 4; UPDATE numbers SET email = (SELECT CONCAT('y', {seed})) WHERE id = 4000;"
                              f"UPDATE IGNORE numbers SET email = 'e2@example.com' WHERE id = 4000;",
        "keys of text": f"UPDATE IGNORE words SET w = CONCAT('v', {seed}) WHERE v LIKE '%{seed % 256:02x}' ORDER BY w LIMIT 5;",
        "rows without a key": f"DELETE FROM keyless WHERE w % 101 = {seed % 101}; INSERT INTO keyless SELECT 'twice', NULL FROM seq_1_to_2;",
        "a key of times": f"UPDATE IGNORE times SET at = at + INTERVAL 1 SECOND WHERE n = 1 AND SECOND(at) = 0 LIMIT 7; DELETE FROM times WHERE n = 2 LIMIT 3;",
        "a wide row": f"UPDATE wide SET t = REPEAT('w{seed % 10}', {1 + seed % 900_000}) WHERE id = {3 + seed % 7 * 3};",
        "an empty table": f"INSERT IGNORE INTO empty VALUES ({seed % 3});",
    }
    chosen = dice.sample(sorted(changes), dice.randint(1, 4))
    servers.mysql("START TRANSACTION; " + " ".join(changes[name] for name in chosen) + " COMMIT;", database)
    return chosen


def _sums(hash_of, number_of, text):
    """For each table: its rows, and for each column its values that are not NULL and the sum of their hashes."""
    for table, columns in TABLES.items():
        parts = ["COUNT(*)"]
        for name, *texts in columns:
            # `of` is a word of the language in both.
            parts += [f"COUNT({text(texts)})", f"COALESCE(SUM({number_of(hash_of(text(texts)))}), 0)"]
        row = " , ".join(f"COALESCE({hash_of(text(texts))}, '-')" for _, *texts in columns)
        parts.append(f"COALESCE(SUM({number_of(hash_of(f'CONCAT({row})'))}), 0)")
        yield table, parts, row


def _mysql():
    return _sums(lambda text: f"MD5({text})", lambda md5: f"CAST(CONV(LEFT({md5}, 8), 16, 10) AS UNSIGNED)", lambda texts: texts[0])


def _postgres():
    return _sums(lambda text: f"md5({text})", lambda md5: f"('x' || left({md5}, 8))::bit(32)::bigint",
                 lambda texts: texts[1].replace("of::", '"of"::'))


def source_sums(servers, database):
    """The sums of all tables as MariaDB has them."""
    rows = servers.mysql(" UNION ALL ".join(f"SELECT '{table}', CONCAT_WS(' ', {', '.join(parts)}) FROM `{table}`" for table, parts, _ in _mysql()), database)
    return dict(rows)


def target_sums(servers, database):
    """The sums of all tables as PostgreSQL has them; None for a table that is not there."""
    sums = {}
    for table, parts, _ in _postgres():
        there = servers.postgres(f"SELECT to_regclass('public.{table}') IS NOT NULL", database) == [["t"]]
        sums[table] = servers.postgres(f"SELECT concat_ws(' ', {', '.join(parts)}) FROM public.{table}", database)[0][0] if there else None
    return sums


def differences(servers, source, target, table):
    """How many rows of a table are only in the source, and how many only in the target, doubled ones counted."""
    row = {name: text for name, _, text in _mysql()}[table]
    left = Counter(line[0] for line in servers.mysql(f"SELECT CONCAT({row}) FROM `{table}`", source) if line)
    row = {name: text for name, _, text in _postgres()}[table]
    right = Counter(line[0] for line in servers.postgres(f"SELECT CONCAT({row}) FROM public.{table}", target) if line[0])
    return sum((left - right).values()), sum((right - left).values())


def left_undone(servers, target):
    """What of the schema is missing in the target, as its catalog says: keys, indexes, foreign keys, triggers."""
    found = servers.postgres("""
        SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace),
               (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'public'::regnamespace),
               (SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relnamespace = 'public'::regnamespace AND indisvalid),
               (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal),
               (SELECT count(*) FROM pg_class WHERE relname LIKE 'sent_keys%')""", target)[0]
    wanted = ["6", "1", "10", "0", "0"]
    names = ["primary keys", "foreign keys", "indexes", "triggers", "tables of sent keys"]
    return [f"{name}: {count} instead of {want}" for name, count, want in zip(names, found, wanted) if count != want]
