//! Each target, with random bytes and with seeds that are changed at random: always the same ones, so that a failure comes again.
//!
//! `DBFERRY_FUZZ_RUNS` says how often (default 1000 for each target); the real fuzzing is `cargo fuzz`. What overflows the stack ends the
//! process without a word: with `DBFERRY_FUZZ_SHOW` set, the last input of each target is in a file of its name in the temporary folder.

use proptest::prelude::Rng;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::TARGETS;

fn runs() -> usize {
    std::env::var("DBFERRY_FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

fn below(rng: &mut TestRng, end: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap_or_default() % end.max(1)
}

/// Bytes: often few different ones, so that equal ones meet.
fn random(rng: &mut TestRng) -> Vec<u8> {
    let length = if below(rng, 10) == 0 { 2000 } else { 1 + below(rng, 200) };
    let plain = below(rng, 3) == 0;
    let mut bytes: Vec<u8> = vec![0; length];
    rng.fill_bytes(&mut bytes);
    if plain {
        bytes.iter_mut().for_each(|byte| *byte %= 16);
    }
    bytes
}

/// The seed with a few of its bytes changed, left out, repeated, or joined with those of another.
fn changed(seed: &[u8], other: &[u8], rng: &mut TestRng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len() + 1);
        let end = (at + below(rng, 12)).min(bytes.len());
        match below(rng, 6) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].to_vec();
                let times = 1 + below(rng, 40);
                bytes.splice(at..at, piece.repeat(times));
            }
            2 => {
                let from = below(rng, other.len() + 1);
                let piece = other[from..(from + below(rng, 60)).min(other.len())].to_vec();
                bytes.splice(at..end, piece);
            }
            3 => bytes.truncate(at),
            _ => {
                const HARD: &[u8] = b"\"'\\{}[]().,-+=$`#\n\0\xff\x80(((\"";
                bytes.insert(at, HARD[below(rng, HARD.len())]);
            }
        }
    }
    bytes
}

/// Calls a target with as many inputs as are wanted.
fn smoke(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let rng = runner.rng();
    for run in 0..runs() {
        let bytes = match target.seeds {
            [] => random(rng),
            seeds if run < seeds.len() => seeds[run].to_vec(),
            seeds => {
                let (seed, other) = (seeds[below(rng, seeds.len())], seeds[below(rng, seeds.len())]);
                if below(rng, 8) == 0 { random(rng) } else { changed(seed, other, rng) }
            }
        };
        if std::env::var_os("DBFERRY_FUZZ_SHOW").is_some() {
            // What overflows the stack ends the process, and names nothing.
            std::fs::write(std::env::temp_dir().join(name), &bytes).unwrap();
        }
        let outcome = std::panic::catch_unwind(|| (target.run)(&bytes));
        assert!(outcome.is_ok(), "{name} panics at {}", bytes.escape_ascii());
    }
}

macro_rules! smoke {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                smoke(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_called() {
            assert_eq!([$(stringify!($name)),*].to_vec(), TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
        }
    };
}

smoke!(config json mapping mysql_expressions mysql_values mysql_wire postgres_decode postgres_round_trip);

#[test]
fn every_target_has_its_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut files: Vec<String> = std::fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap().replace(".rs", ""))
        .collect();
    files.sort();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(files, names);
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "no [[bin]] {name} in fuzz/Cargo.toml");
    }
}
