//! One coordinator per run into a folder of Parquet files: a second one is refused, and one that was killed is replaced at once.

use std::path::Path;
use std::time::{Duration, Instant};

use super::SLOW;
use crate::support::MySqlDatabase;
use crate::support::ferry::{command, ferry};

/// The parts that are there.
fn parts(folder: &Path) -> usize {
    let files = |path: &Path| std::fs::read_dir(path).map_or(0, Iterator::count);
    files(&folder.join("keyless")) + files(&folder.join("numbers"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_coordinator_and_one_that_was_killed_is_replaced_at_once() {
    let from = MySqlDatabase::create(SLOW).await;
    from.run(
        "CREATE TABLE numbers (id INT NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
INSERT INTO numbers SELECT seq, REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_12000;
ANALYZE TABLE numbers;
",
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let to = format!("parquet://{}", out.display());
    let line = ["run", &from.url, &to, "--chunk", "1MiB", "--jobs", "1"];
    let mut first = command(&[&line[..], &["--max-rate", "512KiB"]].concat()).spawn().unwrap();
    let began = Instant::now();
    while parts(&out) < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "no part came");
        assert!(first.try_wait().unwrap().is_none(), "it has ended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pid = first.id();
    for more in [&["--resume"][..], &[]] {
        let texts = ["is being worked on", &format!("process {pid} on "), "--resume"];
        ferry(&[&line[..], more].concat()).code(2).complains(&texts);
    }
    ferry(&["status", &to]).code(0).prints(&["running", &format!("worked on by process {pid} on ")]);
    first.kill().unwrap();
    first.wait().unwrap();
    ferry(&["status", &to]).code(0).prints(&["unfinished"]).never_says("worked on by");
    let there = parts(&out);
    assert!(there >= 2, "{there}");
    let resumed = Instant::now();
    let said = ferry(&[&line[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest", "24,000 rows"]);
    assert!(
        !said.err.contains("is held by") && resumed.elapsed() < Duration::from_secs(25),
        "{:?} {}",
        resumed.elapsed(),
        said.err
    );
    from.drop().await;
}
