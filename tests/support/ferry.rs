//! The command as a person runs it: its arguments, what it said, and its exit code.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A command that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code; -1 for a process that a signal killed.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Demands an exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Demands that standard error has each of these texts in it.
    #[track_caller]
    pub fn complains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "no `{text}` in stderr:\n{}", self.err);
        }
        self
    }

    /// Standard output as one line: a report is as wide as a terminal, and breaks its sentences anywhere.
    pub fn words(&self) -> String {
        self.out.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Demands that standard output has each of these texts in it.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text), "no `{text}` in stdout:\n{}", self.out);
        }
        self
    }

    /// Demands that neither output has this text in it.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.out.contains(text) && !self.err.contains(text), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// A command line that is not started yet, free of settings of the surroundings.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbferry"));
    command.args(args).env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `dbferry` with these arguments to its end.
pub fn ferry(args: &[&str]) -> Said {
    finish(command(args).spawn().expect("the command starts"))
}

/// Runs `dbferry` with these arguments and a variable of the environment to its end.
pub fn ferry_with(variable: &str, value: &str, args: &[&str]) -> Said {
    finish(command(args).env(variable, value).spawn().expect("the command starts"))
}

/// Starts the command, whose process is to put itself to sleep at `place`, and waits until it does.
#[cfg(debug_assertions)]
pub async fn asleep(mut command: Command, place: &str) -> Child {
    let child = command.env("DBFERRY_FAILPOINT", format!("{place}=stop")).spawn().expect("the command starts");
    let stat = format!("/proc/{}/stat", child.id());
    let began = Instant::now();
    while !std::fs::read_to_string(&stat).expect("a process").rsplit(')').next().expect("a state").starts_with(" T") {
        assert!(began.elapsed() < Duration::from_secs(60), "{place} is not reached");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child
}

/// Sends a signal by its name, `CONT` for one.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// Waits for a command's end.
pub fn finish(mut child: Child) -> Said {
    let read = |mut pipe: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).expect("its output can be read");
            String::from_utf8(text).expect("its output is UTF-8")
        })
    };
    let out = read(Box::new(child.stdout.take().expect("stdout is a pipe")));
    let err = read(Box::new(child.stderr.take().expect("stderr is a pipe")));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the command can be waited for") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("the command can be killed");
            let (out, err) = (out.join().expect("read"), err.join().expect("read"));
            panic!("the command hangs\nstdout:\n{out}\nstderr:\n{err}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Said { code: status.code().unwrap_or(-1), out: out.join().expect("read"), err: err.join().expect("read") }
}

/// Runs `dbferry` with these arguments and `--report`, and reads the report; `None` if there is none.
pub fn ferry_with_report(args: &[&str]) -> (Said, Option<Value>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let file = path.to_str().expect("the path is UTF-8");
    let said = ferry(&[args, &["--report", file]].concat());
    let report = std::fs::read_to_string(&path).ok().map(|text| serde_json::from_str(&text).expect("a report is JSON"));
    (said, report)
}

/// The report of a run that must end with this code.
#[track_caller]
pub fn report(code: i32, args: &[&str]) -> Value {
    let (said, report) = ferry_with_report(args);
    said.code(code);
    report.expect("a report was written")
}

/// The entry of a report for the table of that name, without its schema.
#[track_caller]
pub fn table<'a>(report: &'a Value, name: &str) -> &'a Value {
    let tables = report["tables"].as_array().expect("a report has tables");
    let ends = |table: &&Value| {
        let source = table["source"].as_str().unwrap_or_default();
        source == name || source.ends_with(&format!(".{name}"))
    };
    tables.iter().find(ends).unwrap_or_else(|| panic!("no table `{name}` in {report:#}"))
}

/// The tables of a report by name, each with its outcome.
pub fn outcomes(report: &Value) -> Vec<(String, String)> {
    let tables = report["tables"].as_array().expect("a report has tables");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    tables.iter().map(|table| (text(&table["target"]), text(&table["outcome"]))).collect()
}
