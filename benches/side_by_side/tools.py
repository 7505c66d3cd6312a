"""The tools that are compared: how each is installed, and the command that carries a data set.

Peers run with the settings that their own documentation recommends for speed; dbferry with its defaults.
"""

import glob
import json
import os
import shlex
import shutil
import subprocess
import sys

from servers import Failed, run

HERE = os.path.dirname(os.path.realpath(__file__))


class Tool:
    """One way from the source to the target; its `about` is the footnote of its figures."""

    name = ""
    about = ""

    def install(self, cache):
        """Makes it ready; gives its version, or fails with the reason why it is not there."""
        raise NotImplementedError

    def command(self, servers, one, database, folder):
        """The command that carries the data set `one` into the empty `database`, and its environment. Files of it go into `folder`."""
        raise NotImplementedError


def shell(text):
    return ["bash", "-c", f"set -euo pipefail\n{text}"]


def quoted(words):
    return " ".join(shlex.quote(word) for word in words)


def environment_of(cache, name, *packages):
    """A virtual environment with these packages, made once."""
    folder = os.path.join(cache, f"venv-{name}")
    mark = os.path.join(folder, ".installed")
    wanted = " ".join(packages)
    if not os.path.exists(mark) or open(mark).read() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", folder])
        run([os.path.join(folder, "bin", "pip"), "install", "--quiet", *packages])
        with open(mark, "w") as file:
            file.write(wanted)
    return folder


def version_of(folder, package):
    return run([os.path.join(folder, "bin", "pip"), "show", package]).split("Version: ")[1].split("\n")[0]


class Dbferry(Tool):
    def __init__(self, name, about, binary, *options):
        self.name, self.about, self.binary, self.options = name, about, binary, options

    def install(self, cache):
        return run([self.binary, "--version"]).strip()

    def command(self, servers, one, database, folder):
        include = [] if one.name in ("all", "small") else [word for t in one.tables for word in ("--include", t.name)]
        if one.name == "all":
            include = [word for t in one.tables for word in ("--include", t.name)]
        return [self.binary, "run", servers.mysql_url(one.database), servers.postgres_url(database), "--progress", "none",
                *include, *self.options], {}


class Pipe(Tool):
    name = "pipe by hand"
    about = "CREATE TABLE, `mariadb --quick --batch | psql \\copy`, ADD PRIMARY KEY, table after table; proves nothing"

    def install(self, cache):
        return run(["mariadb", "--version"]).split(",")[0].strip()

    def command(self, servers, one, database, folder):
        steps = []
        mysql = quoted(servers.mysql_command(one.database))
        psql = quoted(servers.psql_command(database))
        for table in one.tables:
            steps.append(f"{psql} -c {shlex.quote(table.create_postgres())}")
            copy = "\\copy \"%s\" FROM STDIN (NULL 'NULL')" % table.name
            steps.append(f"{mysql} --quick -e {shlex.quote(table.select_by_hand())} | {psql} -c {shlex.quote(copy)}")
            steps.append(f"{psql} -c {shlex.quote(table.key_postgres())}")
        path = os.path.join(folder, "pipe.sh")
        with open(path, "w") as file:
            file.write("set -euo pipefail\n" + "\n".join(steps) + "\n")
        return ["bash", path], {}


class Pgloader(Tool):
    def __init__(self, name, about, *settings):
        self.name, self.about, self.settings = name, about, settings

    def install(self, cache):
        if not shutil.which("pgloader"):
            root = [] if os.geteuid() == 0 else ["sudo"]
            run([*root, "apt-get", "install", "-q", "-y", "--no-install-recommends", "pgloader"])
        return run(["pgloader", "--version"]).split("\n")[0].strip()

    def command(self, servers, one, database, folder):
        clauses = ["include drop", "create tables", "create indexes", "reset sequences", *self.settings]
        names = "" if one.name == "small" else "INCLUDING ONLY TABLE NAMES MATCHING " + ", ".join(f"'{t.name}'" for t in one.tables)
        path = os.path.join(folder, f"{self.name.replace(' ', '-')}.load")
        with open(path, "w") as file:
            file.write(
                f"LOAD DATABASE FROM {servers.mysql_url(one.database)}\n INTO {servers.postgres_url(database, 'postgresql')}\n"
                f" WITH {', '.join(clauses)}\n SET maintenance_work_mem TO '256MB'\n {names};\n"
            )
        return ["pgloader", path], {}


class Duckdb(Tool):
    about = "ATTACH both, CREATE TABLE AS, then the key"

    def __init__(self, name, about, compression):
        self.name, self.about, self.compression = name, about, compression

    def install(self, cache):
        # The scanners are bound to one version, and are found on PyPI for this one.
        folder = environment_of(cache, "duckdb", "duckdb==1.5.5", "duckdb-extension-mysql-scanner==1.5.5",
                                "duckdb-extension-postgres-scanner==1.5.5")
        self.python = os.path.join(folder, "bin", "python")
        self.extensions = []
        for name in ("mysql_scanner", "postgres_scanner"):
            found = glob.glob(os.path.join(folder, "lib", "*", "site-packages", "**", f"{name}.duckdb_extension"), recursive=True)
            if not found:
                raise Failed(f"the extension {name} is not in its package")
            self.extensions.append(found[0])
        run([self.python, "-c", "import duckdb, sys; c = duckdb.connect(); [c.execute(f\"LOAD '{p}'\") for p in sys.argv[1:]]",
             *self.extensions])
        return f"duckdb {version_of(folder, 'duckdb')}"

    def command(self, servers, one, database, folder):
        source, target = servers.source, servers.target
        order = {
            "extensions": self.extensions,
            "source": f"host={source.hostname} port={source.port} user={source.username} password={source.password} database={one.database}{self.compression}",
            "target": f"host={target.hostname} port={target.port} user={target.username} password={target.password} dbname={database}",
            "tables": [[table.name, table.key_postgres()] for table in one.tables],
        }
        return [self.python, os.path.join(HERE, "peers", "by_duckdb.py"), json.dumps(order)], {}


class Connectorx(Tool):
    name = "connectorx + ADBC"
    about = "connectorx's arrow stream into adbc_ingest, then the key"

    def install(self, cache):
        folder = environment_of(cache, "connectorx", "connectorx", "pyarrow", "adbc-driver-postgresql", "adbc-driver-manager")
        self.python = os.path.join(folder, "bin", "python")
        return f"connectorx {version_of(folder, 'connectorx')}, adbc-driver-postgresql {version_of(folder, 'adbc-driver-postgresql')}"

    def command(self, servers, one, database, folder):
        order = {
            "source": servers.mysql_url(one.database),
            "target": servers.postgres_url(database, "postgresql"),
            "tables": [[table.name, table.key_postgres()] for table in one.tables],
        }
        return [self.python, os.path.join(HERE, "peers", "by_connectorx.py"), json.dumps(order)], {}


class Sling(Tool):
    name = "sling"
    about = "full-refresh, one stream a table"

    def install(self, cache):
        # The package `sling` fetches its program from elsewhere; this one has it in itself.
        folder = environment_of(cache, "sling", "sling-linux-amd64")
        found = glob.glob(os.path.join(folder, "lib", "*", "site-packages", "sling_linux_amd64", "bin", "sling*"))
        if not found:
            raise Failed("the package sling-linux-amd64 has no program in it")
        self.program = found[0]
        os.chmod(self.program, 0o755)
        self.home = os.path.join(cache, "home-sling")
        os.makedirs(self.home, exist_ok=True)
        return f"sling {version_of(folder, 'sling-linux-amd64')}"

    def command(self, servers, one, database, folder):
        streams = "\n".join(
            f"  {one.database}.{t.name}:\n    object: public.{t.name}\n    primary_key: [{', '.join(t.key)}]" for t in one.tables
        )
        path = os.path.join(folder, "sling.yaml")
        with open(path, "w") as file:
            file.write(f"source: SOURCE\ntarget: TARGET\ndefaults:\n  mode: full-refresh\nstreams:\n{streams}\n")
        return [self.program, "run", "-r", path], {
            "SOURCE": servers.mysql_url(one.database),
            "TARGET": servers.postgres_url(database) + "?sslmode=disable",
            "HOME": self.home,
            "SLING_HOME_DIR": self.home,
            "SLING_DISABLE_TELEMETRY": "TRUE",
        }


class Ingestr(Tool):
    name = "ingestr"
    about = "one call a table, full replace"

    def install(self, cache):
        # Later versions fetch their program from elsewhere; these have it in themselves.
        folder = environment_of(cache, "ingestr", "ingestr<1")
        self.program = os.path.join(folder, "bin", "ingestr")
        self.home = os.path.join(cache, "home-ingestr")
        os.makedirs(self.home, exist_ok=True)
        return f"ingestr {version_of(folder, 'ingestr')}"

    def command(self, servers, one, database, folder):
        calls = [
            quoted([self.program, "ingest", "--source-uri", servers.mysql_url(one.database), "--source-table", f"{one.database}.{t.name}",
                    "--dest-uri", servers.postgres_url(database, "postgresql") + "?sslmode=disable", "--dest-table", f"public.{t.name}",
                    "--yes"] + [word for name in t.key for word in ("--primary-key", name)])
            for t in one.tables
        ]
        path = os.path.join(folder, "ingestr.sh")
        with open(path, "w") as file:
            file.write("set -euo pipefail\n" + "\n".join(calls) + "\n")
        return ["bash", path], {"HOME": self.home, "INGESTR_DISABLE_TELEMETRY": "true", "DISABLE_TELEMETRY": "true"}


def all_tools(binary):
    """Every tool by its name, in the order of the table."""
    tools = [
        Dbferry("dbferry", "its defaults: schema, data, keys; probe full, verification by digest, the schema compared", binary),
        Dbferry("dbferry bare", "schema, data, keys; `--probe off --verify none`", binary, "--probe", "off", "--verify", "none"),
        Dbferry("dbferry bare without ANALYZE", "as dbferry bare; `--no-analyze`, as the other tools make no statistics", binary, "--probe", "off",
                "--verify", "none", "--no-analyze"),
        Pipe(),
        Pgloader("pgloader", "its defaults: schema, data, keys"),
        Pgloader("pgloader tuned", "schema, data, keys; more rows to a batch, several readers a table", "workers = 4", "concurrency = 1",
                 "multiple readers per thread", "rows per range = 50000", "batch rows = 50000", "batch size = 64MB", "prefetch rows = 100000"),
        Sling(),
        Ingestr(),
        Duckdb("duckdb", "ATTACH as it comes, CREATE TABLE AS, then the key", ""),
        Duckdb("duckdb uncompressed", "ATTACH with `compression=disabled`, CREATE TABLE AS, then the key", " compression=disabled"),
        Connectorx(),
    ]
    return {tool.name: tool for tool in tools}
