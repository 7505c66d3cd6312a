//! `kill -9` of the servers themselves, private ones: during the load, and right after the end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, MySqlConnection, PgConnection};

use super::{SLOW, slow_chunks};
use crate::support::ferry::{command, ferry, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Private servers in a folder of their own; gone with it.
pub struct Servers {
    folder: tempfile::TempDir,
    /// The address of MariaDB.
    pub mysql: String,
    /// The address of PostgreSQL.
    pub postgres: String,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers")
}

impl Servers {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// With more options of the PostgreSQL server.
    pub fn start_with(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The servers' own user must be able to look into it.
        assert!(Command::new("chmod").arg("755").arg(folder.path()).status().unwrap().success());
        // A pipe to stderr would stay open as long as the servers do.
        let told = folder.path().join("start.log");
        let mut start = Command::new(script());
        start.arg("start").arg(folder.path().join("s")).env("DBFERRY_POSTGRES_OPTIONS", options);
        let started = start.stderr(std::fs::File::create(&told).unwrap()).output().unwrap();
        let out = String::from_utf8(started.stdout).unwrap();
        assert!(started.status.success(), "{out}{}", std::fs::read_to_string(&told).unwrap());
        let value = |name: &str| {
            let line = out.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name} in {out}"));
            line.split('\'').nth(1).unwrap().to_string()
        };
        Servers { mysql: value("DBFERRY_TEST_MYSQL"), postgres: value("DBFERRY_TEST_POSTGRES"), folder }
    }

    /// The folder that they live in.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Ends a server with a signal, and starts it again as it was.
    pub async fn restart(&self, name: &str, signal: &str) {
        let pidfile = self.folder.path().join("s").join(format!("{name}.pid"));
        let pid = std::fs::read_to_string(&pidfile).unwrap().trim().to_string();
        let process = PathBuf::from("/proc").join(&pid);
        let line = std::fs::read(process.join("cmdline")).unwrap();
        let line: Vec<String> = line
            .split(|byte| *byte == 0)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8(word.to_vec()).unwrap())
            .collect();
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let id = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_string()
        };
        let (user, group) = (id("Uid:"), id("Gid:"));
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let began = Instant::now();
        while std::fs::read(process.join("cmdline")).is_ok_and(|line| !line.is_empty()) {
            assert!(began.elapsed() < Duration::from_secs(30), "{name} does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        loop {
            let mut again = Command::new("setpriv");
            again
                .args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into(), "setsid".into()])
                .args(&line);
            let mut again =
                again.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::fs::write(&pidfile, again.id().to_string()).unwrap();
            // Until it answers; or, where the first server's children still hold its memory, until it gives up and is tried again.
            while again.try_wait().unwrap().is_none() {
                let answers = match name {
                    "mariadb" => MySqlConnection::connect(&format!("{}/mysql", self.mysql)).await.is_ok(),
                    _ => PgConnection::connect(&format!("{}/postgres", self.postgres)).await.is_ok(),
                };
                if answers {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{name} does not start again");
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = Command::new(script()).arg("stop").arg(self.folder.path().join("s")).stderr(Stdio::null()).status();
    }
}

const ONCE: &str = "SELECT count(*) || ' ' || count(DISTINCT w) || ' ' || (SELECT max(n) FROM (SELECT count(*) AS n FROM keyless GROUP BY w) AS x) FROM keyless";

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_killed_lose_no_row_and_forget_no_end() {
    let servers = tokio::task::spawn_blocking(Servers::start).await.unwrap();
    let from = MySqlDatabase::create_on(&servers.mysql, SLOW).await;
    for (victim, signal) in [("postgres", "-KILL"), ("mariadb", "-KILL")] {
        let to = PostgresDatabase::create_on(&servers.postgres, "").await;
        slow_chunks(&to).await;
        let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"].map(String::from);
        let mut load = command(&line.each_ref().map(String::as_str));
        let child = load.spawn().unwrap();
        let loading = tokio::task::spawn_blocking(move || finish(child));
        let began = Instant::now();
        let mut connection = to.connect().await;
        while began.elapsed() < Duration::from_secs(60) {
            let found = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dbferry.receipts").fetch_one(&mut connection).await;
            if found.is_ok_and(|found| found >= 2) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(connection);
        servers.restart(victim, signal).await;
        let said = loading.await.unwrap();
        let said = if victim == "postgres" {
            // The target is waited for, and what it has forgotten is carried again: no resume is needed.
            said.code(0).complains(&["is tried again"])
        } else {
            // With a MariaDB its snapshot is gone: the run goes on at a later instant, or is resumed.
            assert!([0, 3].contains(&said.code), "exit code {}\n{}\n{}", said.code, said.out, said.err);
            said.complains(&["all connections of the snapshot are lost"])
        };
        let resumed: Vec<&str> = line.iter().map(String::as_str).chain(["--resume"]).collect();
        ferry(&resumed).code(0).prints(&["Proven by digest", "12,000 rows"]);
        assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"), "{victim}, after exit code {}", said.code);
        // The server answers commits before they are on disk; that the run is done is there all the same.
        servers.restart("postgres", "-QUIT").await;
        assert_eq!(to.value("SELECT state FROM dbferry.runs").await.as_deref(), Some("done"));
        ferry(&resumed).code(0).complains(&["done already"]);
        assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    }
}
