"""What the two servers need by themselves, measured in the same run as the tools.

The source sends all rows to a client that throws them away; the target takes files made ready in the binary form of COPY, in two streams side
by side into new tables, and builds the keys. The floor is the processor time of both, on all cores: no tool is sooner where that is the limit.
"""

import json
import os
import sys

from measure import measure
from servers import Failed, run
from tools import HERE, Pipe

NAME = "floor"


class Floor:
    """The floor of one data set. `compression` is what the target compresses long values with."""

    def __init__(self, servers, one, folder, compression):
        self.servers, self.one, self.folder, self.compression = servers, one, folder, compression
        self.files = {}

    def prepare(self):
        """Carries the data set once by hand, and exports it."""
        servers, one = self.servers, self.one
        servers.fresh("floor")
        command, environment = Pipe().command(servers, one, "floor", self.folder)
        done = measure(command, environment, os.path.join(self.folder, "floor.log"), 3600)
        if done.status != 0:
            raise Failed(f"the pipe by hand failed: {done.output[-500:]}")
        for table in one.tables:
            pages = int(servers.postgres(f"""SELECT pg_relation_size('"{table.name}"') / 8192""", "floor")[0][0])
            ranges = [""]
            if pages > 1000:
                ranges = [f"WHERE ctid < '({pages // 2},0)'", f"WHERE ctid >= '({pages // 2},0)'"]
            self.files[table.name] = []
            for place, where in enumerate(ranges):
                path = os.path.join(self.folder, f"floor.{table.name}.{place}.bin")
                sql = f"\\copy (SELECT * FROM \"{table.name}\" {where}) TO '{path}' (FORMAT binary)"
                run([*servers.psql_command("floor"), "-c", sql])
                self.files[table.name].append(path)
        servers.fresh("floor")

    def measure(self, timeout):
        """One round: a record as of a tool."""
        servers, one = self.servers, self.one
        if not self.files:
            self.prepare()
        queries = [f"SELECT * FROM `{table.name}`" for table in one.tables]
        at = servers.source
        order = {"host": at.hostname, "port": at.port, "user": at.username, "password": at.password, "database": one.database, "queries": queries}
        before = servers.cpu()
        sent = measure([sys.executable, os.path.join(HERE, "drain.py"), json.dumps(order)], {}, os.path.join(self.folder, "drain.log"), timeout)
        send_cpu = servers.cpu()[0] - before[0]
        if sent.status != 0 or int(sent.output) < 4 * one.rows:
            raise Failed(f"the source did not send all rows: {sent.output[-300:]}")

        servers.fresh("floor")
        script = self.script()
        options = f"-c client_min_messages=warning -c default_toast_compression={self.compression}"
        before = servers.cpu()
        received = measure(["bash", script], {"PGOPTIONS": options}, os.path.join(self.folder, "floor.log"), timeout)
        servers.settle()
        receive_cpu = servers.cpu()[1] - before[1]
        if received.status != 0:
            raise Failed(f"the target did not take the files: {received.output[-300:]}")
        return {
            "wall": (send_cpu + receive_cpu) / os.cpu_count(), "cpu": 0.0, "peak_megabytes": 0.0, "mysql_cpu": send_cpu,
            "postgres_cpu": receive_cpu, "send_wall": sent.wall, "receive_wall": received.wall, "moved": "the servers alone", "faults": [],
        }

    def script(self):
        """Creates the tables, copies by two sessions side by side, and builds the keys."""
        psql = " ".join(self.servers.psql_command("floor"))
        orders = [[], []]
        for place, table in enumerate(self.one.tables):
            for part, path in enumerate(self.files[table.name]):
                orders[(place + part) % 2].append(f"\\copy \"{table.name}\" FROM '{path}' (FORMAT binary)")
        paths = {}
        for name, lines in {
            "create": [table.create_postgres() + ";" for table in self.one.tables],
            "copy-0": orders[0],
            "copy-1": orders[1],
            "keys-0": [table.key_postgres() + ";" for table in self.one.tables[::2]],
            "keys-1": [table.key_postgres() + ";" for table in self.one.tables[1::2]],
        }.items():
            paths[name] = os.path.join(self.folder, f"floor-{name}.sql")
            with open(paths[name], "w") as file:
                file.write("\n".join(lines) + "\n")
        path = os.path.join(self.folder, "floor.sh")
        with open(path, "w") as file:
            # `-1`: in one transaction, as a run of many statements is quickest.
            file.write(
                "set -eu\n"
                f"{psql} -1 -f {paths['create']}\n"
                f"{psql} -1 -f {paths['copy-0']} & other=$!\n{psql} -1 -f {paths['copy-1']}\nwait $other\n"
                f"{psql} -1 -f {paths['keys-0']} & other=$!\n{psql} -1 -f {paths['keys-1']}\nwait $other\n"
            )
        return path

    def forget(self):
        for paths in self.files.values():
            for path in paths:
                os.remove(path)
        self.files = {}
