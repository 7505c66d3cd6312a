"""Is the result complete? Counts and aggregates of each column, computed by both servers and compared as exact text.

The form of a value is not held against a tool: a date may have become a timestamp, a number a wider one. A value that has changed is.
"""

from decimal import Decimal, InvalidOperation

from servers import Failed

# Of each kind, the aggregates in the source's SQL and in the target's; `{0}` is the column. Sums of parts of MD5 stand for the values themselves.
SOURCE = {
    "number": ["SUM({0})", "MIN({0})", "MAX({0})"],
    "single": ["SUM(CAST(CAST({0} AS DOUBLE) * 1024 AS SIGNED))"],
    "double": ["SUM(CAST({0} * 1048576 AS SIGNED))"],
    "date": ["SUM(TO_DAYS({0}) - 719528)", "MIN({0})", "MAX({0})"],
    "moment": ["SUM(TO_DAYS({0}) - 719528)", "SUM(TIME_TO_SEC(TIME({0})) DIV 1)", "SUM(MICROSECOND({0}))"],
    "clock": ["SUM(TIME_TO_SEC({0}))"],
    "text": ["SUM(CHAR_LENGTH({0}))", "SUM(CAST(CONV(LEFT(MD5({0}), 8), 16, 10) AS UNSIGNED))"],
    "bytes": ["SUM(LENGTH({0}))", "SUM(CAST(CONV(LEFT(MD5({0}), 8), 16, 10) AS UNSIGNED))"],
    "json": ["SUM(JSON_VALUE({0}, '$.n'))", "SUM(CAST(CONV(LEFT(MD5(JSON_VALUE({0}, '$.s')), 8), 16, 10) AS UNSIGNED))"],
}
MD5 = "sum(('x' || left(md5({0}), 8))::bit(32)::bigint)"
TARGET = {
    "number": ["sum({0}::numeric)", "min({0}::numeric)", "max({0}::numeric)"],
    "single": ["sum(round({0}::float8 * 1024)::numeric)"],
    "double": ["sum(({0}::float8 * 1048576)::bigint)"],
    "date": ["sum({0}::timestamp::date - '1970-01-01'::date)", "min({0}::timestamp::date)", "max({0}::timestamp::date)"],
    "moment": [
        "sum({0}::timestamp::date - '1970-01-01'::date)",
        "sum(floor(extract(epoch FROM {0}::timestamp::time))::bigint)",
        "sum(extract(microseconds FROM {0}::timestamp)::bigint % 1000000)",
    ],
    "clock": ["sum(extract(epoch FROM {0}::interval)::bigint)"],
    "text": ["sum(char_length({0}::text))", MD5.format("{0}::text")],
    "bytes": ["sum(length({0}))", MD5],
    "json": ["sum(({0}::jsonb ->> 'n')::numeric)", MD5.format("({0}::jsonb ->> 's')")],
}


def exact(text):
    """Numbers without trailing zeros, all else as it is; NULL of both clients is one."""
    if text in ("NULL", ""):
        return ""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return format(number.normalize() if number else Decimal(0), "f")


def source_facts(servers, one):
    """What the source's server says of each table."""
    queries = []
    for table in one.tables:
        wanted = [f"COUNT(`{c.name}`), " + ", ".join(e.format(f"`{c.name}`") for e in SOURCE[c.kind]) for c in table.columns]
        queries.append(f"SELECT COUNT(*), {', '.join(wanted)} FROM `{table.name}`;")
    rows = servers.mysql("SET time_zone = '+00:00';\n" + "\n".join(queries), one.database)
    return [[exact(value) for value in row] for row in rows]


def differences(servers, one, facts, database):
    """What is not as in the source, in words; nothing for a complete result."""
    schemas = tables_of(servers, database)
    faults, queries, asked = [], [], []
    for table, fact in zip(one.tables, facts):
        found = schemas.get(table.name)
        if found is None:
            faults.append(f"{table.name}: no such table")
            continue
        schema, columns = found
        missing = [c.name for c in table.columns if c.name not in columns]
        if missing:
            faults.append(f"{table.name}: no column {', '.join(missing)}")
            continue
        wanted = [f'count("{c.name}"), ' + ", ".join(target_sql(c, columns)) for c in table.columns]
        queries.append(f"SELECT count(*), {', '.join(wanted)} FROM \"{schema}\".\"{table.name}\";")
        asked.append((table, fact))
    if faults:
        return faults
    try:
        rows = servers.postgres("\n".join(queries), database)
    except Failed:
        return one_by_one(servers, database, schemas, asked)
    for (table, fact), row in zip(asked, rows):
        faults.extend(compare(table, fact, [exact(value) for value in row]))
    return faults


def target_sql(column, types):
    """The aggregates of a column in the type that it has in the target."""
    place = f'"{column.name}"'
    # TINYINT(1) may be one.
    place = f"{place}::int" if types[column.name] == "boolean" and column.kind == "number" else place
    return [aggregate.format(place) for aggregate in TARGET[column.kind]]


def compare(table, fact, row):
    if fact[0] != row[0]:
        return [f"{table.name}: {row[0]} rows of {fact[0]}"]
    faults, place = [], 1
    for column in table.columns:
        width = 1 + len(SOURCE[column.kind])
        if fact[place : place + width] != row[place : place + width]:
            faults.append(f"{table.name}.{column.name} ({column.type}): values have changed")
        place += width
    return faults


def one_by_one(servers, database, schemas, asked):
    """A column that the target cannot even be asked about is told by its name."""
    faults = []
    for table, fact in asked:
        schema, columns = schemas[table.name]
        place = 1
        for column in table.columns:
            width = 1 + len(SOURCE[column.kind])
            wanted = ", ".join(target_sql(column, columns))
            try:
                row = servers.postgres(f'SELECT count("{column.name}"), {wanted} FROM "{schema}"."{table.name}"', database)[0]
                if [exact(value) for value in row] != fact[place : place + width]:
                    faults.append(f"{table.name}.{column.name} ({column.type}): values have changed")
            except Failed:
                faults.append(f"{table.name}.{column.name}: {column.type} has become {columns[column.name]}")
            place += width
    return faults


def tables_of(servers, database):
    """The tables of the target, wherever they are: name -> schema and types of columns."""
    sql = """SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'dbferry')"""
    found = {}
    for schema, table, column, type_ in servers.postgres(sql, database):
        found.setdefault(table.lower(), (schema, {}))[1][column] = type_
    return found


def carried(servers, one, database):
    """What is there beside the rows: primary keys, and NOT NULL."""
    sql = """SELECT count(*) FILTER (WHERE contype = 'p') FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
             JOIN pg_namespace AS n ON n.oid = t.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'dbferry')"""
    keys = int(servers.postgres(sql, database)[0][0])
    return "data and keys" if keys >= len(one.tables) else "data"
