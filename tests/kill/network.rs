//! A network that is cut, stalls, is slow or is away: in front of either server, while a table of several chunks is carried.
//!
//! Each run gets through by itself, or ends with exit code 3, says what has happened, and is gone on with. Either way the rows in the target
//! are those of the source: none is lost, none is there twice.

use std::process::Child;
use std::time::{Duration, Instant};

use sqlx::Row;

use super::SLOW;
use crate::support::ferry::{Said, command, ferry, finish};
use crate::support::proxy::End::{Fin, Reset};
use crate::support::proxy::Way::{Down, Up};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// In the midst of the rows, of 5.6 MB on the wire, and of a chunk.
const MIDST: u64 = 2_500_000;

/// Two databases, and the network in front of each.
struct Ends {
    from: MySqlDatabase,
    to: PostgresDatabase,
    source: Proxy,
    target: Proxy,
}

impl Ends {
    async fn new() -> Self {
        let (from, to) = (MySqlDatabase::create(SLOW).await, PostgresDatabase::create("").await);
        let (source, target) = (Proxy::before(&from.url), Proxy::before(&to.url));
        Ends { from, to, source, target }
    }

    fn line(&self, more: &[&str]) -> Vec<String> {
        let ends = ["run".to_string(), self.source.url(&self.from.url), self.target.url(&self.to.url)];
        let choices = ["--chunk", "1MiB", "--jobs", "2"].into_iter().chain(more.iter().copied());
        ends.into_iter().chain(choices.map(String::from)).collect()
    }

    fn start(&self, more: &[&str]) -> Child {
        let line = self.line(more);
        command(&line.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap()
    }

    /// Runs to the end, while `meanwhile` is done to the network.
    async fn run(&self, more: &[&str], meanwhile: impl FnOnce(&Self)) -> Said {
        let child = self.start(more);
        let waiting = tokio::task::spawn_blocking(move || finish(child));
        tokio::task::block_in_place(|| meanwhile(self));
        waiting.await.unwrap()
    }

    /// Goes on with a healthy network until the end, and compares both databases, row by row and how often. Prints the line of the fault.
    async fn in_the_end(self, name: &str, said: Said, began: Instant) {
        let tries = 1 + said.err.matches("tried again").count();
        self.source.heal();
        self.target.heal();
        if said.code != 0 {
            assert_eq!(said.code, 3, "{name}: {}\n{}", said.out, said.err);
            assert!(said.err.contains("--resume"), "{name}: {}", said.err);
        }
        let line = self.line(&["--resume"]);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let resumed = ferry(&line).code(0);
        // The report of a run that is done already is printed again.
        let resumed = resumed.prints(&["Proven by digest", "12,000 rows"]);
        drop(resumed);
        let (lost, doubled) = compared(&self.from, &self.to).await;
        eprintln!(
            "| {name} | exit {} | {tries} tries | {lost} lost | {doubled} doubled | {:.1} s |",
            said.code,
            began.elapsed().as_secs_f64()
        );
        assert_eq!((lost, doubled), (0, 0), "{name}");
        self.from.drop().await;
        self.to.drop().await;
    }
}

/// Rows that are in the source and not in the target, and rows that the target has more often than the source.
async fn compared(from: &MySqlDatabase, to: &PostgresDatabase) -> (u64, u64) {
    let mut source = from.connect().await;
    let rows = sqlx::query("SELECT k, COUNT(*) FROM (SELECT CONCAT(MD5(v), ' ', w) AS k FROM keyless) AS x GROUP BY k")
        .fetch_all(&mut source)
        .await
        .unwrap();
    let mut expected: std::collections::HashMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut target = to.connect().await;
    let rows =
        sqlx::query("SELECT md5(v) || ' ' || w, count(*) FROM keyless GROUP BY v, w").fetch_all(&mut target).await.unwrap();
    for row in rows {
        *expected.entry(row.get(0)).or_default() -= row.get::<i64, _>(1);
    }
    let lost: i64 = expected.values().filter(|left| **left > 0).sum();
    let doubled: i64 = expected.values().filter(|left| **left < 0).sum();
    (lost.unsigned_abs(), doubled.unsigned_abs())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_cut_in_the_midst_of_a_result_is_no_end_of_a_table() {
    for (name, how) in [("source cut (FIN) mid result", Fin), ("source cut (RST) mid result", Reset)] {
        let ends = Ends::new().await;
        let began = Instant::now();
        // D3: a socket that is closed in order looks like an end, and is none: the chunk is carried again, by another reader.
        ends.source.order(Fault::CutAfter(Down, MIDST, how), 1);
        let said = ends.run(&[], |_| {}).await.code(0);
        assert_eq!(ends.source.happened(), 1, "{name}");
        let said = said.complains(&["is tried again", "could not be read"]).prints(&["Proven by digest", "12,000 rows"]);
        ends.in_the_end(name, said, began).await;
    }
    // Both readers: with them the snapshot is gone.
    let ends = Ends::new().await;
    let began = Instant::now();
    let said = ends.run(&["--retry-for", "3s"], |ends| {
        ends.source.wait_for(Down, MIDST);
        ends.source.go_away(Reset);
    });
    let said = said.await;
    ends.in_the_end("source away for good", said, began).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_cut_gets_the_chunk_again_whole() {
    let faults = [
        ("target cut (FIN) mid COPY", Fault::CutAfter(Up, MIDST, Fin), 1),
        ("target cut (RST) mid COPY", Fault::CutAfter(Up, MIDST, Reset), 1),
        ("target cut three times", Fault::CutAfter(Up, 1_000_000, Reset), 3),
        // The rows are sent, and whether the server has committed them nobody knows but the server.
        ("COMMIT of a chunk is lost", Fault::CutAt(Up, b"COMMIT\0".to_vec(), Reset), 3),
        ("answer to a COMMIT is lost", Fault::CutAt(Down, b"COMMIT\0".to_vec(), Reset), 3),
    ];
    for (name, fault, times) in faults {
        let ends = Ends::new().await;
        let began = Instant::now();
        let said = ends.run(&[], |ends| {
            // Not before the rows: what comes before a run has begun ends it with exit code 2.
            ends.target.wait_for(Up, 1_000_000);
            ends.target.order(fault, times);
        });
        let said = said.await.code(0);
        // D3: rows and receipt together, or neither: whatever is lost, each row is there once.
        assert_eq!(ends.target.happened(), times, "{name}");
        let said = said.complains(&["is tried again"]).prints(&["Proven by digest", "12,000 rows"]);
        ends.in_the_end(name, said, began).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_away_for_a_while_is_waited_for_and_no_longer_than_asked_for() {
    let ends = Ends::new().await;
    let began = Instant::now();
    let said = ends.run(&[], |ends| {
        ends.target.wait_for(Up, MIDST);
        ends.target.go_away(Reset);
        std::thread::sleep(Duration::from_secs(3));
        ends.target.heal();
    });
    let said = said.await.code(0).complains(&["is tried again", "no PostgreSQL server answers"]);
    ends.in_the_end("target refuses connections for 3 s", said, began).await;

    let ends = Ends::new().await;
    let began = Instant::now();
    let said = ends.run(&["--retry-for", "2s"], |ends| {
        ends.target.wait_for(Up, MIDST);
        ends.target.go_away(Fin);
    });
    let said = said.await.code(3).complains(&["It was tried", "--retry-for", "--resume", "no PostgreSQL server answers"]);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    ends.in_the_end("target away, longer than --retry-for 2s", said, began).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_in_which_nothing_passes_ends_the_run_in_time() {
    for (name, at_source) in [("source stalls", true), ("target stalls", false)] {
        let ends = Ends::new().await;
        let began = Instant::now();
        let said = ends.run(&["--stall-timeout", "2"], |ends| {
            let (proxy, way) = if at_source { (&ends.source, Down) } else { (&ends.target, Up) };
            proxy.wait_for(way, MIDST);
            proxy.stall();
        });
        let said = said.await.code(3).complains(&["nothing has moved for", "phase copy", "--resume"]);
        assert!(began.elapsed() < Duration::from_secs(60), "{name}: {:?}", began.elapsed());
        ends.in_the_end(name, said, began).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_only_takes_its_time() {
    let ends = Ends::new().await;
    let began = Instant::now();
    ends.source.slow(2_000_000);
    ends.target.slow(2_000_000);
    let said = ends.run(&[], |_| {}).await.code(0).never_says("tried again");
    ends.in_the_end("2 MB/s on both sides", said, began).await;

    let ends = Ends::new().await;
    let began = Instant::now();
    ends.source.delay(Duration::from_millis(5));
    ends.target.delay(Duration::from_millis(5));
    let said = ends.run(&[], |_| {}).await.code(0).never_says("tried again");
    ends.in_the_end("10 ms round trip on both sides", said, began).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_before_anything_moves_ends_the_run_and_a_verification() {
    // In the midst of the source's catalog, and of the target's.
    for (from_source, bytes) in [(true, 4_000), (false, 4_000)] {
        let ends = Ends::new().await;
        let proxy = if from_source { &ends.source } else { &ends.target };
        proxy.order(Fault::StallAfter(Down, bytes), 1);
        let mut run = command(&ends.line(&["--stall-timeout", "2"]).iter().map(String::as_str).collect::<Vec<_>>());
        let child = run.env("DBFERRY_LEASE_SECONDS", "2").spawn().unwrap();
        let said = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
        assert!([2, 3].contains(&said.code), "exit code {}\n{}", said.code, said.err);
        let told = ["nothing has moved for", "could not be set up within"].iter().any(|text| said.err.contains(text));
        assert!(told, "{}", said.err);
        proxy.heal();
        let line = ends.line(&["--resume"]);
        ferry(&line.iter().map(String::as_str).collect::<Vec<_>>()).code(0);
        proxy.order(Fault::StallAfter(Down, bytes), 1);
        let verify = ["verify", &line[1], &line[2], "--stall-timeout", "2"];
        let child = command(&verify).spawn().unwrap();
        let said = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
        let told = ["nothing has moved for", "could not be set up within"].iter().any(|text| said.err.contains(text));
        assert!(told && said.code != 0, "exit code {}\n{}", said.code, said.err);
        ends.from.drop().await;
        ends.to.drop().await;
    }
}
