"""The two servers: started by tests/servers, spoken to by their own clients, their processor time read from /proc."""

import os
import re
import shutil
import subprocess
import time
from urllib.parse import urlsplit

TICK = os.sysconf("SC_CLK_TCK")
ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Failed(Exception):
    """A command that did not do what it was asked to; its text is for people."""


def run(command, text=None, environment=None, timeout=3600):
    """Runs a command to its end and gives what it printed."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, env={**os.environ, **(environment or {})}, timeout=timeout
    )
    if done.returncode != 0:
        raise Failed(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout


class Servers:
    """A private MariaDB and a private PostgreSQL."""

    def __init__(self, folder, buffer_pool, postgres_options):
        self.folder = folder
        environment = {"DBFERRY_BUFFER_POOL": buffer_pool, "DBFERRY_POSTGRES_OPTIONS": postgres_options}
        exports = run([os.path.join(ROOT, "tests", "servers"), "start", folder], environment=environment)
        addresses = dict(re.findall(r"export (\w+)='([^']*)'", exports))
        self.source = urlsplit(addresses["DBFERRY_TEST_MYSQL"])
        self.target = urlsplit(addresses["DBFERRY_TEST_POSTGRES"])
        self.postgres_options = postgres_options
        self.options_file = os.path.join(folder, "my.cnf")
        with open(self.options_file, "w") as file:
            file.write(
                f"[client]\nuser={self.source.username}\npassword={self.source.password}\n"
                f"host={self.source.hostname}\nport={self.source.port}\nprotocol=tcp\ndefault-character-set=utf8mb4\n"
            )
        os.chmod(self.options_file, 0o600)

    def stop(self):
        subprocess.run([os.path.join(ROOT, "tests", "servers"), "stop", self.folder])
        shutil.rmtree(self.folder, ignore_errors=True)

    def mysql_command(self, database=None):
        """The client, ready for `-e SQL`."""
        command = ["mariadb", f"--defaults-file={self.options_file}", "--batch", "--skip-column-names", "--local-infile=1"]
        return command + ([database] if database else [])

    def mysql(self, sql, database=None):
        """Rows of tab-separated text."""
        out = run(self.mysql_command(database), text=sql)
        return [line.split("\t") for line in out.splitlines()]

    def postgres_url(self, database, scheme="postgres"):
        at = self.target
        return f"{scheme}://{at.username}:{at.password}@{at.hostname}:{at.port}/{database}"

    def mysql_url(self, database, scheme="mysql"):
        at = self.source
        return f"{scheme}://{at.username}:{at.password}@{at.hostname}:{at.port}/{database}"

    def psql_command(self, database):
        return ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t",
                "--set=ON_ERROR_STOP=1", self.postgres_url(database)]

    def postgres(self, sql, database="postgres"):
        """Rows of tab-separated text."""
        settings = {"PGOPTIONS": "-c client_min_messages=warning -c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=3"}
        out = run(self.psql_command(database), text=sql, environment=settings)
        return [line.split("\t") for line in out.splitlines()]

    def fresh(self, database):
        """An empty database in the target, and nothing left to be written of what was there before."""
        self.postgres(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE);')
        self.postgres(f'CREATE DATABASE "{database}";')
        self.postgres("CHECKPOINT;")

    def versions(self):
        mysql = self.mysql("SELECT VERSION()")[0][0]
        return f"MariaDB {mysql}", self.postgres("SELECT 'PostgreSQL ' || current_setting('server_version')")[0][0]

    def cpu(self):
        """Processor seconds so far of the source's and of the target's server, their ended children included."""
        mysql = ticks(self._pid("mariadb"))
        postmaster = self._pid("postgres")
        children = open(f"/proc/{postmaster}/task/{postmaster}/children").read().split()
        postgres = ticks(postmaster) + sum(ticks(int(child), ended=False) for child in children)
        return mysql / TICK, postgres / TICK

    def settle(self):
        """Waits for the sessions of the last tool to end, so that their time is counted."""
        for _ in range(40):
            sessions = self.postgres("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            if sessions == [["1"]]:
                break
            time.sleep(0.05)
        # The postmaster has to hear of the last one's end.
        time.sleep(0.2)

    def _pid(self, name):
        with open(os.path.join(self.folder, f"{name}.pid")) as file:
            return int(file.read())


def ticks(pid, ended=True):
    """User and system time of a process, with its children that have ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            # Behind the name in brackets: utime, stime, cutime and cstime are the 12th to the 15th field.
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(field) for field in fields[11:15 if ended else 13])
