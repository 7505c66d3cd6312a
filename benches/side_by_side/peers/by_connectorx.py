"""Carries tables with connectorx as the reader and the ADBC driver as the writer, batch by batch, then their keys."""

import json
import sys

import adbc_driver_postgresql.dbapi
import connectorx

order = json.loads(sys.argv[1])
with adbc_driver_postgresql.dbapi.connect(order["target"]) as target:
    for name, key in order["tables"]:
        rows = connectorx.read_sql(
            order["source"], f"SELECT * FROM `{name}`", return_type="arrow_stream", protocol="binary", batch_size=100_000
        )
        with target.cursor() as cursor:
            cursor.adbc_ingest(name, rows, mode="create")
            cursor.execute(key)
        target.commit()
