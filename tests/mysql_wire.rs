//! The readers' own client of the MySQL protocol against a real server: logins, rows of all sizes, and results that do not end well.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use dbferry::config::endpoint::Endpoint;
use dbferry::engine::mysql::{MySqlSnapshot, MySqlSource};
use dbferry::engine::{SessionOptions, Snapshot, Source, TableFilter};
use dbferry::model::unit::{ReadColumn, ReadPlan};
use dbferry::model::{ChunkPlan, Table};
use dbferry::{ErrorKind, Result};
use futures::StreamExt;
use sqlx::{AssertSqlSafe, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::MySqlDatabase;

async fn open(url: &str) -> Result<MySqlSource> {
    let options = SessionOptions { application_name: "dbferry/test".into(), jobs: 2, ledger_schema: "dbferry".into() };
    MySqlSource::open(&Endpoint::parse(url).unwrap(), &options).await
}

async fn table(source: &MySqlSource, name: &str) -> Table {
    let catalog = source.catalog(&TableFilter::all()).await.unwrap();
    catalog.tables.into_iter().find(|table| table.name.name == name).unwrap()
}

fn plan(table: &Table, columns: &[&str]) -> ReadPlan {
    let read = |name: &&str| {
        let column = table.column(name).unwrap();
        let policies = dbferry::model::ValuePolicies::default();
        ReadColumn {
            name: column.name.clone(),
            native: column.native.clone(),
            logical: column.logical.clone().unwrap(),
            policies,
        }
    };
    ReadPlan::of(table, columns.iter().map(read).collect(), &ChunkPlan::whole(0, 0), 1 << 20)
}

/// Calls `each` with each batch; the number of rows.
async fn read(snapshot: &MySqlSnapshot, what: &ReadPlan, mut each: impl FnMut(&arrow::array::RecordBatch)) -> Result<usize> {
    let chunks = ChunkPlan::whole(0, 0);
    let mut stream = snapshot.read(what, &chunks.chunks[0]);
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.rows.num_rows();
        each(&batch.rows);
    }
    Ok(rows)
}

async fn ask(database: &MySqlDatabase, sql: &str) -> String {
    let mut connection = database.connect().await;
    let row = sqlx::raw_sql(AssertSqlSafe(sql.to_string())).fetch_one(&mut connection).await.unwrap();
    String::from_utf8(row.try_get_unchecked::<Vec<u8>, _>(0).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_log_in_by_every_method_of_the_server() {
    let database = MySqlDatabase::create("CREATE TABLE t (n int primary key);\nINSERT INTO t VALUES (1), (2), (3);").await;
    let maria = ask(&database, "SELECT VERSION()").await.contains("MariaDB");
    let encrypts = !maria || ask(&database, "SELECT @@have_ssl").await == "YES";
    let methods: &[&str] = if maria { &["mysql_native_password"] } else { &["caching_sha2_password", "sha256_password"] };
    let rest = database.url.rsplit_once('@').unwrap().1.to_string();
    for (number, method) in methods.iter().enumerate() {
        // Longer than one of the hashes, and with a character of two bytes.
        for (place, password) in ["", "p", "a-long-pässword-with-more-than-forty-characters"].iter().enumerate() {
            let user = format!("w{number}{place}_{}", database.name);
            let identified = if maria {
                format!("IDENTIFIED VIA {method} USING PASSWORD('{password}')")
            } else {
                format!("IDENTIFIED WITH {method} BY '{password}'")
            };
            let script = format!(
                "CREATE USER '{user}'@'%' {identified};\nGRANT SELECT, LOCK TABLES ON `{0}`.* TO '{user}'@'%';",
                database.name
            );
            database.run(&script).await;
            let encoded = password.replace('ä', "%C3%A4");
            for mode in ["disabled", "preferred", "required"] {
                let url = format!("mysql://{user}:{encoded}@{rest}?ssl-mode={mode}");
                let source = match open(&url).await {
                    Ok(source) => source,
                    Err(error) if mode == "required" && !encrypts => {
                        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
                        continue;
                    }
                    // The driver has trouble with `sha256_password`, and without its session there is nothing to read.
                    Err(error) if *method == "sha256_password" => {
                        assert!(matches!(error.kind(), ErrorKind::SourceRead | ErrorKind::LoginRefused), "{error:?}");
                        continue;
                    }
                    Err(error) => panic!("{method} {mode}: {error:?}"),
                };
                let t = table(&source, "t").await;
                // Twice: the server forgets what it knows of passwords, and then knows it again.
                database.run("FLUSH PRIVILEGES;").await;
                for _ in 0..2 {
                    let snapshot = source
                        .open_snapshot(std::slice::from_ref(&t), 2)
                        .await
                        .unwrap_or_else(|error| panic!("{method} {mode}: {error:?}"));
                    assert_eq!(read(&snapshot, &plan(&t, &["n"]), |_| {}).await.unwrap(), 3);
                    assert_eq!(snapshot.count(&t).await.unwrap(), 3);
                    snapshot.close().await.unwrap();
                }
            }
            database.run(&format!("DROP USER '{user}'@'%';")).await;
        }
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_must_encrypt_can_read_only_so() {
    let database = MySqlDatabase::create("CREATE TABLE t (n int primary key);\nINSERT INTO t VALUES (1);").await;
    let maria = ask(&database, "SELECT VERSION()").await.contains("MariaDB");
    let encrypts = !maria || ask(&database, "SELECT @@have_ssl").await == "YES";
    let user = format!("tls_{}", database.name);
    let script = format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'p' REQUIRE SSL;\nGRANT SELECT ON `{}`.* TO '{user}'@'%';",
        database.name
    );
    database.run(&script).await;
    let rest = database.url.rsplit_once('@').unwrap().1.to_string();
    let refused = open(&format!("mysql://{user}:p@{rest}?ssl-mode=disabled")).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::LoginRefused);
    let url = format!("mysql://{user}:p@{rest}?ssl-mode=required");
    if encrypts {
        let source = open(&url).await.unwrap();
        let t = table(&source, "t").await;
        let snapshot = source.open_snapshot(std::slice::from_ref(&t), 2).await.unwrap();
        assert_eq!(read(&snapshot, &plan(&t, &["n"]), |_| {}).await.unwrap(), 1);
    } else {
        let error = open(&url).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
    }
    database.run(&format!("DROP USER '{user}'@'%';")).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_around_the_largest_packet_arrive_whole() {
    let database = MySqlDatabase::create("CREATE TABLE t (n int primary key, b longblob);").await;
    // A row is a zero byte, one byte of NULLs, four bytes of number, and a length of four bytes before the value.
    let full = 0xff_ffff - 10;
    let sizes = [0, 250, 251, 65_535, 65_536, 300_000, full - 1, full, full + 1, full + 2, 2 * 0xff_ffff - 14, 40_000_000, 7];
    for (number, size) in sizes.iter().enumerate() {
        database.run(&format!("INSERT INTO t VALUES ({number}, REPEAT('{}', {size}));", char::from(b'a' + number as u8))).await;
    }
    let source = open(&database.url).await.unwrap();
    let t = table(&source, "t").await;
    let snapshot = source.open_snapshot(std::slice::from_ref(&t), 1).await.unwrap();
    // Twice with one session: the buffer is small again.
    for _ in 0..2 {
        let mut found = Vec::new();
        let what = plan(&t, &["n", "b"]);
        let rows = read(&snapshot, &what, |batch| {
            let values = batch.column(1).as_binary::<i32>();
            for row in 0..values.len() {
                let value = values.value(row);
                let letter = b'a' + found.len() as u8;
                assert!(value.iter().all(|byte| *byte == letter));
                found.push(value.len());
            }
        });
        assert_eq!(rows.await.unwrap(), sizes.len());
        assert_eq!(found, sizes);
    }
    snapshot.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_are_found_in_tables_of_every_width() {
    let names: Vec<String> = (0..70).map(|at| format!("c{at}")).collect();
    let columns: Vec<String> =
        names.iter().enumerate().map(|(at, name)| format!("{name} {}", ["int", "varchar(10)", "datetime(6)"][at % 3])).collect();
    let database = MySqlDatabase::create(&format!("CREATE TABLE t (n int primary key, {});", columns.join(", "))).await;
    let is_null = |row: usize, at: usize| (row * 7 + at * at).is_multiple_of(3) || row == 1;
    for row in 0..20_usize {
        let values: Vec<String> = (0..70)
            .map(|at| match (is_null(row, at), at % 3) {
                (true, _) => "NULL".into(),
                (_, 0) => format!("{}", at * 1000 + row),
                (_, 1) => format!("'v{at}'"),
                _ => "'2024-02-29 10:11:12.000013'".into(),
            })
            .collect();
        database.run(&format!("INSERT INTO t VALUES ({row}, {});", values.join(", "))).await;
    }
    let source = open(&database.url).await.unwrap();
    let t = table(&source, "t").await;
    let snapshot = source.open_snapshot(std::slice::from_ref(&t), 1).await.unwrap();
    for width in [0, 1, 4, 5, 6, 7, 12, 13, 14, 15, 61, 62, 63, 70] {
        let asked: Vec<&str> = std::iter::once("n").chain(names.iter().take(width).map(String::as_str)).collect();
        let what = plan(&t, &asked);
        let rows = read(&snapshot, &what, |batch| {
            for (at, array) in batch.columns().iter().skip(1).enumerate() {
                for row in 0..batch.num_rows() {
                    assert_eq!(array.is_null(row), is_null(row, at), "{width} {row} {at}");
                    if at % 3 == 1 && array.is_valid(row) {
                        assert_eq!(array.as_string::<i32>().value(row), format!("v{at}"));
                    }
                }
            }
        });
        assert_eq!(rows.await.unwrap(), 20);
    }
    snapshot.close().await.unwrap();
    database.drop().await;
}

/// A table whose rows do not fit into any buffer on the way.
async fn large() -> MySqlDatabase {
    let database = MySqlDatabase::create(
        "CREATE TABLE t (n int primary key auto_increment, f varchar(200));\nINSERT INTO t (f) VALUES (REPEAT('x', 200));",
    )
    .await;
    for _ in 0..17 {
        database.run("INSERT INTO t (f) SELECT f FROM t;").await;
    }
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_ended_in_its_midst_is_an_error() {
    let database = large().await;
    let source = open(&database.url).await.unwrap();
    let t = table(&source, "t").await;
    let snapshot = source.open_snapshot(std::slice::from_ref(&t), 1).await.unwrap();
    let chunks = ChunkPlan::whole(0, 0);
    let mut stream = snapshot.read(&plan(&t, &["n", "f"]), &chunks.chunks[0]);
    let mut rows = stream.next().await.unwrap().unwrap().rows.num_rows();
    let id = ask(&database, &format!("SELECT CAST(ID AS CHAR) FROM information_schema.processlist WHERE DB = '{}' AND INFO LIKE '/* dbferry/test */ SELECT%'", database.name)).await;
    database.run(&format!("KILL QUERY {id};")).await;
    let error = loop {
        match stream.next().await {
            Some(Ok(batch)) => rows += batch.rows.num_rows(),
            Some(Err(error)) => break error,
            None => panic!("the stream ended as if {rows} rows were all"),
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}");
    assert!(rows < 131_072);
    drop((stream, snapshot));
    database.drop().await;
}

/// Passes bytes between the server and whoever connects; the server's answers end after `most` bytes of any connection.
async fn cutting(to: String, most: Arc<std::sync::atomic::AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (to, most) = (to.clone(), Arc::clone(&most));
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(to).await else { return };
                let (mut up, mut down, mut passed) = (vec![0; 4096], vec![0; 4096], 0);
                loop {
                    let room = most.load(std::sync::atomic::Ordering::Relaxed).saturating_sub(passed).min(4096);
                    tokio::select! {
                        sent = client.read(&mut up) => match sent {
                            Ok(count) if count > 0 => server.write_all(&up[..count]).await.unwrap(),
                            _ => return,
                        },
                        sent = server.read(&mut down[..room.max(1)]) => match sent {
                            Ok(count) if count > 0 && room > 0 => {
                                passed += count;
                                if client.write_all(&down[..count]).await.is_err() { return }
                            }
                            _ => return,
                        },
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_anywhere_is_lost_and_never_the_end() {
    let script = "CREATE TABLE t (n int primary key, f varchar(20));\nINSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');";
    let database = MySqlDatabase::create(script).await;
    let (login, rest) = database.url.rsplit_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let most = Arc::new(std::sync::atomic::AtomicUsize::new(usize::MAX));
    let port = cutting(server.to_string(), Arc::clone(&most)).await;
    let source = open(&format!("{login}@127.0.0.1:{port}/{name}?ssl-mode=disabled")).await.unwrap();
    let t = table(&source, "t").await;
    let what = plan(&t, &["n", "f"]);
    let attempt = async || -> Result<usize> {
        let snapshot = source.open_snapshot(std::slice::from_ref(&t), 1).await?;
        read(&snapshot, &what, |_| {}).await
    };
    assert_eq!(attempt().await.unwrap(), 3);
    // From the middle of the greeting to where nothing is missing any more.
    let (mut whole, mut lost) = (0, 0);
    for cut in (20..20_000).step_by(9) {
        most.store(cut, std::sync::atomic::Ordering::Relaxed);
        match tokio::time::timeout(Duration::from_secs(20), attempt()).await.expect("it ends") {
            Ok(rows) => {
                assert_eq!(rows, 3, "cut after {cut} bytes");
                whole += 1;
            }
            Err(error) => {
                let kinds = [ErrorKind::ConnectionLost, ErrorKind::Unreachable, ErrorKind::Snapshot];
                assert!(kinds.contains(&error.kind()), "cut after {cut} bytes: {error:?}");
                lost += 1;
            }
        }
        if whole == 5 {
            break;
        }
    }
    assert!(whole == 5 && lost > 50, "{whole} whole, {lost} lost");
    drop(source);
    database.drop().await;
}

/// Hands everything on, and from when it is told to be deaf, nothing more on the connections that are there, of which it closes none.
async fn deaf(to: String, told: tokio::sync::watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (to, mut told) = (to.clone(), told.clone());
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(to).await else { return };
                let deaf_before = *told.borrow();
                let falls_deaf = async {
                    if deaf_before || told.wait_for(|deaf| *deaf).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
                    () = falls_deaf => {}
                }
                tokio::time::sleep(Duration::from_secs(60)).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_a_network_has_forgotten_are_ended_with_their_snapshot() {
    let database = MySqlDatabase::create("CREATE TABLE t (n int primary key);\nINSERT INTO t VALUES (1);").await;
    let (login, rest) = database.url.rsplit_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let (tell, told) = tokio::sync::watch::channel(false);
    let port = deaf(server.to_string(), told).await;
    let url = format!("{login}@127.0.0.1:{port}/{name}?ssl-mode=disabled");
    let options = SessionOptions { application_name: format!("dbferry/{name}"), jobs: 2, ledger_schema: "dbferry".into() };
    let source = MySqlSource::open(&Endpoint::parse(&url).unwrap(), &options).await.unwrap();
    let t = table(&source, "t").await;
    let snapshot = source.open_snapshot(std::slice::from_ref(&t), 2).await.unwrap();
    let locks = ["0", "1"].map(|reader| format!("IS_USED_LOCK('dbferry{}/{reader}')", name.replace('_', "")));
    let held = format!("SELECT CAST(COUNT({}) + COUNT({}) AS CHAR)", locks[0], locks[1]);
    assert_eq!(ask(&database, &held).await, "2");
    // They do nothing, so nobody notices that nothing of theirs arrives.
    tell.send(true).unwrap();
    snapshot.close().await.unwrap();
    // A session that is ended lets go a moment later.
    let ended = async {
        while ask(&database, &held).await != "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("both readers are ended");
    drop(source);
    database.drop().await;
}
