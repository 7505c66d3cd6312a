//! Servers that are far away: more chunks are under way than are carried at a time, within the same memory, and each row arrives once whatever
//! becomes of those that were opened ahead.

use std::time::Duration;

use super::SLOW;
use crate::support::ferry::{Said, command, finish};
use crate::support::proxy::End::Reset;
use crate::support::proxy::Way::{Down, Up};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Each way, on both sides.
const DELAY: Duration = Duration::from_millis(4);

/// Two databases behind long lines.
struct Far {
    from: MySqlDatabase,
    to: PostgresDatabase,
    source: Proxy,
    target: Proxy,
}

impl Far {
    async fn new(script: &str) -> Self {
        let (from, to) = (MySqlDatabase::create(script).await, PostgresDatabase::create("").await);
        let (source, target) = (Proxy::before(&from.url), Proxy::before(&to.url));
        source.delay(DELAY);
        target.delay(DELAY);
        Far { from, to, source, target }
    }

    async fn run(&self, more: &[&str], meanwhile: impl FnOnce(&Self)) -> Said {
        let mut line = vec!["run".to_string(), self.source.url(&self.from.url), self.target.url(&self.to.url)];
        line.extend(more.iter().map(ToString::to_string));
        let child = command(&line.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap();
        let waiting = tokio::task::spawn_blocking(move || finish(child));
        tokio::task::block_in_place(|| meanwhile(self));
        waiting.await.unwrap()
    }

    async fn drop(self) {
        self.from.drop().await;
        self.to.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_were_opened_ahead_arrive_once_though_lines_are_cut() {
    let far = Far::new(SLOW).await;
    let said = far.run(&["--chunk", "1MiB", "--jobs", "2"], |far| {
        // Several transactions are open, and several results are on their way.
        far.target.wait_for(Up, 1_000_000);
        far.target.order(Fault::CutAfter(Up, 500_000, Reset), 2);
        far.source.order(Fault::CutAfter(Down, 500_000, Reset), 1);
    });
    let said = said.await.code(0).complains(&["is tried again"]).prints(&["Proven by digest", "12,000 rows"]);
    drop(said);
    assert_eq!((far.target.happened(), far.source.happened()), (2, 1));
    let receipts = far.to.value("SELECT sum(rows)::text || ' ' || (count(*) > 3)::text FROM dbferry.receipts").await;
    assert_eq!(receipts.as_deref(), Some("12000 true"));
    far.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_opened_ahead_takes_no_memory_that_others_wait_for() {
    // Rows that are wider than a batch of this memory, so that a chunk needs most of it.
    let script = "CREATE TABLE wide (id INT PRIMARY KEY, v LONGTEXT NOT NULL);
        INSERT INTO wide SELECT seq, REPEAT(CHAR(65 + seq % 26), 2500000 + seq) FROM seq_1_to_10;
        CREATE TABLE other (id INT PRIMARY KEY, v LONGTEXT NOT NULL) SELECT id, v FROM wide; ANALYZE TABLE wide, other;";
    let far = Far::new(script).await;
    let said = far.run(&["--chunk", "3MiB", "--jobs", "4", "--memory", "64MiB"], |_| {}).await;
    drop(said.code(0).never_says("tried again").prints(&["Proven by digest", "20 rows"]));
    far.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_tables_arrive_with_a_receipt_each_and_rejected_rows_beside_them() {
    let tables: String = (0..60)
        .map(|number| {
            format!(
                "CREATE TABLE t{number} (id INT PRIMARY KEY, d DATE NOT NULL, v VARCHAR(20) NOT NULL);
                 INSERT INTO t{number} SELECT seq, IF(seq = 7 AND {number} = 30, '0000-00-00', '2024-05-06'), CONCAT('v', seq + {number})
                 FROM seq_1_to_20;\n"
            )
        })
        .collect();
    let far = Far::new(&format!("SET sql_mode = '';\n{tables}")).await;
    let mapping = std::env::temp_dir().join(format!("far-{}.toml", std::process::id()));
    std::fs::write(&mapping, "[[table]]\nname = \"t30\"\non_error = \"reject\"\nmax_rejects = 5\n").unwrap();
    let said = far.run(&["--jobs", "2", "-m", mapping.to_str().unwrap()], |_| {}).await;
    std::fs::remove_file(&mapping).unwrap();
    drop(said.code(1).never_says("tried again").prints(&["rejected"]));
    let counts: Vec<String> = (0..60)
        .map(|number| format!("SELECT {number} AS t, count(*) AS n, count(DISTINCT v) AS m FROM public.t{number}"))
        .collect();
    let wrong = format!(
        "SELECT count(*)::text FROM ({}) AS x WHERE n <> m OR n <> CASE t WHEN 30 THEN 19 ELSE 20 END",
        counts.join(" UNION ALL ")
    );
    assert_eq!(far.to.value(&wrong).await.as_deref(), Some("0"));
    assert_eq!(far.to.value("SELECT count(*)::text FROM dbferry.receipts WHERE rows IS NOT NULL").await.as_deref(), Some("60"));
    far.drop().await;
}
