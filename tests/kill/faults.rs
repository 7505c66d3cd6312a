//! Faults that a server has while a run is at work: each is survived, or ends the run with exit code 3, says what to do, and is gone on with.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::servers::Servers;
use super::{SLOW, slow_chunks};
use crate::support::ferry::{Said, command, ferry, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

const ONCE: &str = "SELECT count(*) || ' ' || count(DISTINCT w) || ' ' || (SELECT max(n) FROM (SELECT count(*) AS n FROM keyless GROUP BY w) AS x) FROM keyless";

fn start(line: &[String]) -> Child {
    command(&line.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap()
}

fn line(from: &str, to: &str, more: &[&str]) -> Vec<String> {
    let all = ["run", from, to, "--chunk", "1MiB", "--jobs", "2"];
    all.into_iter().chain(more.iter().copied()).map(String::from).collect()
}

async fn ended(child: Child) -> Said {
    tokio::task::spawn_blocking(move || finish(child)).await.unwrap()
}

/// Waits until a query of the target has a row that says true.
async fn until(to: &PostgresDatabase, sql: &str) {
    let mut connection = to.connect().await;
    let began = Instant::now();
    loop {
        let found = sqlx::query_scalar::<_, bool>(AssertSqlSafe(sql.to_string())).fetch_one(&mut connection).await;
        if found.unwrap_or(false) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never: {sql}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn finished(from: MySqlDatabase, to: PostgresDatabase, line: &[String]) {
    let resume: Vec<&str> = line.iter().map(String::as_str).chain(["--resume"]).collect();
    ferry(&resume).code(0).prints(&["Proven by digest", "12,000 rows"]);
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    from.drop().await;
    to.drop().await;
}

/// Lets something happen in the third chunk, once its rows are there, and never again: what a session of somebody else would do to it.
async fn once(to: &PostgresDatabase, what: &str) {
    slow_chunks(to).await;
    to.run(&format!(
        "CREATE SEQUENCE fired; CREATE OR REPLACE FUNCTION slow_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('public.fired') = 3 THEN {what} END IF; RETURN NEW; END $$"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_itself_is_tried_again() {
    for (code, name) in [
        ("40P01", "deadlock"),
        ("40001", "serialization"),
        ("55P03", "lock timeout"),
        ("57014", "statement timeout"),
        ("53300", "too many connections"),
        ("57P01", "shut down"),
    ] {
        let from = MySqlDatabase::create(SLOW).await;
        let raise = format!("RAISE EXCEPTION 'made for a test' USING ERRCODE = '{code}';");
        let to = PostgresDatabase::create("").await;
        once(&to, &raise).await;
        let line = line(&from.url, &to.url, &[]);
        let said = ended(start(&line)).await;
        assert_eq!(said.code, 0, "{name}: {}\n{}", said.out, said.err);
        said.complains(&["is tried again", "made for a test"]).prints(&["Proven by digest"]);
        finished(from, to, &line).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_deadlock_with_another_session_is_survived() {
    let from = MySqlDatabase::create(SLOW).await;
    // The chunk that comes here takes the second lock while it holds the first; the other session the other way round.
    let to = PostgresDatabase::create("").await;
    once(&to, "PERFORM pg_advisory_xact_lock(1);").await;
    let mut other = to.connect().await;
    // Its own patience is longer, so the run's session is the one that looks for a deadlock first.
    sqlx::raw_sql("SET deadlock_timeout = '60s'; BEGIN; SELECT pg_advisory_xact_lock(1)").execute(&mut other).await.unwrap();
    let line = line(&from.url, &to.url, &[]);
    let child = start(&line);
    until(&to, "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)").await;
    let waiting = tokio::spawn(async move {
        sqlx::raw_sql("LOCK TABLE keyless IN ACCESS EXCLUSIVE MODE; ROLLBACK").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
    });
    let said = ended(child).await.code(0).complains(&["is tried again", "deadlock detected"]);
    drop(said);
    waiting.await.unwrap();
    finished(from, to, &line).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_with_few_connections_get_few() {
    let (from, to) = (MySqlDatabase::create(SLOW).await, PostgresDatabase::create("").await);
    let few = |url: &str, user: &str| {
        let mut url = url::Url::parse(url).unwrap();
        url.set_username(user).unwrap();
        url.set_password(Some("few")).unwrap();
        url.to_string()
    };
    let (reader, loader) = (format!("r_{}", from.name), format!("l_{}", to.name));
    from.run(&format!(
        "CREATE USER '{reader}'@'%' IDENTIFIED BY 'few' WITH MAX_USER_CONNECTIONS 4;\nGRANT ALL ON `{}`.* TO '{reader}'@'%';\n",
        from.name
    ))
    .await;
    to.run(&format!("CREATE ROLE {loader} LOGIN PASSWORD 'few' SUPERUSER; ALTER ROLE {loader} NOSUPERUSER CONNECTION LIMIT 4"))
        .await;
    to.run(&format!("GRANT ALL ON DATABASE {} TO {loader}; GRANT ALL ON SCHEMA public TO {loader}", to.name)).await;
    let ends = [few(&from.url, &reader), few(&to.url, &loader)];
    // More jobs than either server lets in.
    let line: Vec<String> = ["run", &ends[0], &ends[1], "--chunk", "1MiB", "--jobs", "6"].map(String::from).into();
    ended(start(&line)).await.code(0).prints(&["Proven by digest", "12,000 rows"]);

    // Others hold all that there are, for a while.
    to.run("DROP TABLE keyless; DROP SCHEMA dbferry CASCADE").await;
    slow_chunks(&to).await;
    to.run(&format!("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {loader}; ALTER ROLE {loader} CONNECTION LIMIT 4")).await;
    let child = start(&line);
    until(&to, "SELECT count(*) > 0 FROM dbferry.receipts").await;
    to.run(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{loader}' AND query ILIKE '%COPY%'; ALTER ROLE {loader} CONNECTION LIMIT 1"
    ))
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    to.run(&format!("ALTER ROLE {loader} CONNECTION LIMIT 4")).await;
    ended(child).await.code(0).complains(&["is tried again"]).prints(&["Proven by digest", "12,000 rows"]);
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    from.run(&format!("DROP USER '{reader}'@'%';")).await;
    to.run(&format!("DROP OWNED BY {loader} CASCADE; DROP ROLE {loader}")).await;
    from.drop().await;
    to.drop().await;
}

/// A file system of its own size, in memory; unmounted when it is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of(megabytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk(folder);
        disk.mount(&["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=777"), "tmpfs"]);
        disk
    }

    fn mount(&self, arguments: &[&str]) {
        let done = Command::new("mount").args(arguments).arg(self.0.path()).status().expect("`mount` is there");
        assert!(done.success(), "this test mounts a small file system, and so needs root");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_private_servers_are_for() {
    let servers = tokio::task::spawn_blocking(Servers::start).await.unwrap();
    values_larger_than_the_server_lets_through(&servers).await;
    by_sockets(&servers).await;
    a_full_disk(&servers).await;
    by_a_pooler(&servers).await;
}

/// A full disk ends the run, and it goes on once there is room. In a server of its own: one whose table space goes away cannot work on.
async fn a_full_disk(servers: &Servers) {
    let from = MySqlDatabase::create_on(&servers.mysql, SLOW).await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    let disk = Disk::of(4);
    let place = disk.0.path().join("space");
    std::fs::create_dir(&place).unwrap();
    assert!(Command::new("chown").arg("postgres:").arg(&place).status().unwrap().success());
    assert!(Command::new("chmod").arg("755").arg(disk.0.path()).status().unwrap().success());
    let space = format!("s_{}", to.name);
    let mut admin = to.connect().await;
    let make = format!("CREATE TABLESPACE {space} LOCATION '{}'", place.display());
    sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut admin).await.unwrap();
    to.run(&format!("ALTER DATABASE {} SET default_tablespace = '{space}'", to.name)).await;
    let line = line(&from.url, &to.url, &[]);
    let began = Instant::now();
    let said = ended(start(&line)).await.code(3);
    said.complains(&["No space left on device", "Make room on the target", "--resume"]);
    assert!(began.elapsed() < Duration::from_secs(60));
    disk.mount(&["-o", "remount,size=64m"]);
    let resume: Vec<&str> = line.iter().map(String::as_str).chain(["--resume"]).collect();
    ferry(&resume).code(0).prints(&["Proven by digest", "12,000 rows"]);
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    from.drop().await;
    let server = to.url.rsplit_once('/').unwrap().0.to_string();
    to.drop().await;
    drop(admin);
    let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLESPACE {space}"))).execute(&mut admin).await.unwrap();
}

/// A stored value goes over the wire whatever its size, but a function's result has a bound, beyond which the server gives NULL with a mere
/// warning. No retry helps: the error says what to set.
async fn values_larger_than_the_server_lets_through(servers: &Servers) {
    let from = MySqlDatabase::create_on(
        &servers.mysql,
        "CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB, t LONGTEXT CHARACTER SET utf8mb4);
CREATE TABLE old (id INT PRIMARY KEY, t LONGTEXT CHARACTER SET utf8mb3);
INSERT INTO large VALUES (1, REPEAT('x', 3000000), REPEAT('x', 3000000)), (2, 'y', 'y');
INSERT INTO old VALUES (1, REPEAT('x', 3000000)), (2, 'y');
",
    )
    .await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    from.run("SET GLOBAL max_allowed_packet = 1048576;").await;
    let line = ["run", &from.url, &to.url];
    let said = ferry(&line).code(1).never_says("tried again").prints(&["max_allowed_packet"]);
    drop(said);
    assert_eq!(to.value("SELECT count(*) FROM old").await.as_deref(), Some("0"));
    assert_eq!(to.value("SELECT octet_length(b) + octet_length(t) FROM large WHERE id = 1").await.as_deref(), Some("6000000"));
    from.run("SET GLOBAL max_allowed_packet = 1073741824;").await;
    ferry(&[&line[..], &["--resume"]].concat()).code(0);
    assert_eq!(to.value("SELECT octet_length(t) FROM old WHERE id = 1").await.as_deref(), Some("3000000"));
    from.drop().await;
    to.drop().await;
}

/// Both servers by their sockets, and a password for each.
async fn by_sockets(servers: &Servers) {
    let from = MySqlDatabase::create_on(&servers.mysql, SLOW).await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    let folder = servers.path();
    // No host of the network answers at these names, so nothing but the socket can.
    let by = |url: &str, socket: String| {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (login, place) = rest.split_once('@').unwrap();
        let (host, database) = place.split_once('/').unwrap();
        let port = host.split_once(':').unwrap().1;
        format!("{scheme}://{login}@nowhere.invalid:{port}/{database}?{socket}")
    };
    let source = by(&from.url, format!("socket={}", folder.join("mariadb/mariadb.sock").display()));
    let target = by(&to.url, format!("host={}", folder.join("postgres").display()));
    let line = line(&source, &target, &[]);
    ended(start(&line)).await.code(0).prints(&["Proven by digest", "12,000 rows"]);
    finished(from, to, &line).await;
}

/// PgBouncer in both modes: by transaction it is refused with the reason, by session it is as good as the server.
async fn by_a_pooler(servers: &Servers) {
    let from = MySqlDatabase::create_on(&servers.mysql, SLOW).await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    for mode in ["transaction", "statement", "session"] {
        let bouncer = Bouncer::start(servers, mode);
        let target = bouncer.url(&to.url);
        let line = line(&from.url, &target, &[]);
        let said = ended(start(&line)).await;
        if mode == "session" {
            said.code(0).prints(&["Proven by digest", "12,000 rows"]);
        } else {
            said.code(2).complains(&["pooler", "pool_mode = session"]);
            assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
        }
    }
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    from.drop().await;
    to.drop().await;
}

/// A pooler of its own, in front of a private server.
struct Bouncer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Bouncer {
    fn start(servers: &Servers, mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = servers.postgres.rsplit_once('@').unwrap().1;
        let (host, server_port) = place.split_once(':').unwrap();
        let ini = format!(
            "[databases]\n* = host={host} port={server_port} user=postgres password=secret\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             auth_type = any\npool_mode = {mode}\nunix_socket_dir =\nmax_client_conn = 100\ndefault_pool_size = 20\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, ini).unwrap();
        for path in [folder.path(), &file] {
            assert!(Command::new("chmod").arg("a+rX").arg(path).status().unwrap().success());
        }
        let mut start = if std::fs::read_to_string("/proc/self/status").unwrap().contains("Uid:\t0") {
            let mut start = Command::new("setpriv");
            start.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "pgbouncer"]);
            start
        } else {
            Command::new("pgbouncer")
        };
        // It lies in sbin, which is not on everybody's path.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
        let null = std::process::Stdio::null;
        let child = start.arg("-q").arg(&file).env("PATH", path).stdout(null()).stderr(null()).spawn().unwrap();
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the pooler does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Bouncer { child, port, folder }
    }

    fn url(&self, url: &str) -> String {
        assert!(self.folder.path().exists());
        let (before, place) = url.rsplit_once('@').unwrap();
        format!("{before}@127.0.0.1:{}/{}", self.port, place.split_once('/').unwrap().1)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
