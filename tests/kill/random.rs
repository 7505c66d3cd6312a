//! SIGKILL at random instants: `DBFERRY_KILLS` of them (25), chosen by `DBFERRY_SEED` (printed).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{left_in, same};
use crate::support::ferry::{command, ferry};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Eight chunks and more of each of the large tables, for two jobs.
const SOURCE: &str = "CREATE TABLE parents (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, UNIQUE KEY by_name (name));
CREATE TABLE children (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, parent INT NOT NULL, v VARCHAR(3000) NOT NULL, KEY by_parent (parent), CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parents (id));
CREATE TABLE keyless (v VARCHAR(3000) NOT NULL, w INT NOT NULL, KEY by_w (w));
INSERT INTO parents SELECT seq, CONCAT('n', seq) FROM seq_1_to_500;
INSERT INTO children SELECT seq, 1 + seq % 500, REPEAT(CHAR(65 + seq % 26), 2000) FROM seq_1_to_4500;
INSERT INTO keyless SELECT REPEAT(CHAR(65 + seq DIV 3 % 26), 2000), seq DIV 3 FROM seq_1_to_4500;
ANALYZE TABLE parents, children, keyless;
";

const PHASES: [&str; 5] = ["create", "copy", "index", "constrain", "verify"];

/// Kills before the run is left to finish, and compared, and the next one begins: so that each phase is met again and again.
const KILLS_PER_RUN: u32 = 5;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Anything up to `most`, and a little more, since machines are not equally fast at all times.
    fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap() * 11 / 10;
        Duration::from_micros(self.next() % micros.max(2000))
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("`{variable}` is a number")))
}

/// A run at work, and the phases that it has begun, with the moment.
struct Watched {
    child: Child,
    phases: Arc<Mutex<Vec<(String, Instant)>>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(&[arguments, &["--progress", "json"]].concat()).spawn().unwrap();
        let phases: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, said, err) = (Arc::clone(&phases), Arc::clone(&lines), child.stderr.take().unwrap());
        // What it says at the end is not read: it is short, and the pipe holds it.
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                said.lock().unwrap().push(line.clone());
                let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
                if event["event"] == "phase" {
                    seen.lock().unwrap().push((event["phase"].as_str().unwrap().to_string(), Instant::now()));
                }
            }
        });
        Watched { child, phases, lines }
    }

    fn last(&self) -> Option<String> {
        self.phases.lock().unwrap().last().map(|(phase, _)| phase.clone())
    }

    fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until that phase, or a later one, or the end.
    fn until(&mut self, phase: &str) {
        let place = |name: &str| PHASES.iter().position(|known| *known == name);
        while !self.ended() && self.last().as_deref().and_then(place) < place(phase) {
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// Its exit code, and the last that it said.
    fn end(mut self) -> (i32, Vec<String>) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let lines = self.lines.lock().unwrap();
        (code, lines[lines.len().saturating_sub(4)..].to_vec())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_random_instants() {
    let kills = number("DBFERRY_KILLS").unwrap_or(25);
    let seed = number("DBFERRY_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ 0x5DEE_CE66);
    eprintln!("DBFERRY_SEED={seed}");
    let mut dice = Dice(seed);
    let from = MySqlDatabase::create(SOURCE).await;
    let mut to = PostgresDatabase::create("").await;
    let ends = |to: &PostgresDatabase| ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"].map(String::from);

    // Undisturbed, and how long each phase takes.
    let line = ends(&to);
    let mut watched = Watched::start(&line.each_ref().map(String::as_str));
    while !watched.ended() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let finished = Instant::now();
    let phases = watched.phases.lock().unwrap().clone();
    assert_eq!(watched.end().0, 0);
    let lasts: BTreeMap<String, Duration> = phases
        .iter()
        .zip(phases.iter().skip(1).map(|(_, began)| *began).chain([finished]))
        .map(|((phase, began), ended)| (phase.clone(), ended - *began))
        .collect();
    let expected = left_in(&to).await;

    let mut hit: BTreeMap<String, u32> = BTreeMap::new();
    let (mut done, mut tries, mut of_run) = (0, 0, 0);
    while done < kills {
        if of_run == 0 {
            to.drop().await;
            to = PostgresDatabase::create("").await;
        }
        tries += 1;
        assert!(tries < 4 * kills + 20, "the runs end before they can be killed: {hit:?}");
        let wanted = PHASES[usize::try_from(dice.next() % 5).unwrap()];
        let pause = dice.up_to(lasts[wanted]);
        let line = ends(&to);
        let line: Vec<&str> = line.iter().map(String::as_str).chain(["--resume"]).collect();
        let mut watched = Watched::start(&line);
        watched.until(wanted);
        std::thread::sleep(pause);
        let over = watched.ended();
        let phase = watched.last().unwrap_or_else(|| "plan".into());
        if !over {
            watched.child.kill().unwrap();
        }
        let (code, said) = watched.end();
        if code == -1 {
            done += 1;
            of_run += 1;
            *hit.entry(phase).or_default() += 1;
        } else {
            assert_eq!(code, 0, "seed {seed}, kill {done}: {said:?}");
        }
        if code == 0 || of_run == KILLS_PER_RUN || done == kills {
            ferry(&line).code(0).prints(&["Proven by digest"]);
            same(&left_in(&to).await, &expected, &format!("seed {seed}, kill {done} in {hit:?}"));
            of_run = 0;
        }
    }
    eprintln!("{done} kills, {} runs ended before theirs; by phase: {hit:?}", tries - done);
    if kills >= 25 {
        for phase in ["copy", "index", "constrain", "verify"] {
            assert!(hit.contains_key(phase), "no kill met {phase}: {hit:?} with seed {seed}");
        }
    }
    to.drop().await;
    from.drop().await;
}
