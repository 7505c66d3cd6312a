"""Carries tables with DuckDB: both databases attached, each table by CREATE TABLE AS, then its key."""

import json
import sys

import duckdb

order = json.loads(sys.argv[1])
connection = duckdb.connect()
for extension in order["extensions"]:
    connection.execute(f"LOAD '{extension}'")
connection.execute(f"ATTACH '{order['source']}' AS source (TYPE mysql, READ_ONLY)")
connection.execute(f"ATTACH '{order['target']}' AS target (TYPE postgres)")
for name, key in order["tables"]:
    connection.execute(f'CREATE TABLE target.public."{name}" AS SELECT * FROM source."{name}"')
    connection.execute("CALL postgres_execute('target', ?)", [key])
