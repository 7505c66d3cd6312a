//! The report for machines: one JSON object in a file.
//!
//! Its shape is that of [`Report`] with one key before it, `format`, which is [`FORMAT`]. Keys may be added within a format; a key
//! that goes away or changes its meaning makes a new one. Keys without a value are left out. Times are in seconds, sizes in bytes.
//! A digest is `{"rows": 3, "sum": "…32 hexadecimal digits…"}`. Severities, outcomes and levels are words in `snake_case`.
//! Each problem carries the `ddl` of its object, which the text leaves out.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Report;
use crate::error::{Error, ErrorKind, Result};

/// The version of the shape.
pub const FORMAT: u64 = 1;

/// Refuses a report file that cannot be written, so that a long run does not find out at its end.
///
/// # Errors
/// `Config`, unless the name ends with `.json`; `Io`, when its folder does not exist.
pub fn check_path(path: &Path) -> Result<()> {
    let file = path.display();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => {}
        Some("html") => {
            return Err(Error::new(ErrorKind::Config, format!("`--report {file}`: there is no HTML report yet"))
                .hint("Name a file that ends with `.json`"));
        }
        _ => {
            return Err(Error::new(ErrorKind::Config, format!("`--report {file}`: the form of a report is told by its name"))
                .hint("Name a file that ends with `.json`"));
        }
    }
    let folder = folder(path);
    if !folder.is_dir() {
        return Err(Error::new(ErrorKind::Io, format!("`--report {file}`: there is no folder `{}`", folder.display()))
            .hint("Make the folder first, or name another file"));
    }
    if path.is_dir() {
        return Err(Error::new(ErrorKind::Io, format!("`--report {file}`: this is a folder")).hint("Name a file in it"));
    }
    Ok(())
}

/// The report as the file holds it.
///
/// # Errors
/// `Internal`, when a struct of the report has no place in JSON.
pub fn to_value(report: &Report) -> Result<Value> {
    let broken = |error: serde_json::Error| Error::internal("the report does not fit JSON").with_source(error);
    let mut object = serde_json::Map::new();
    object.insert("format".into(), FORMAT.into());
    match serde_json::to_value(report).map_err(broken)? {
        Value::Object(fields) => object.extend(fields),
        _ => return Err(Error::internal("the report is no JSON object")),
    }
    Ok(Value::Object(object))
}

/// Reads back what [`to_value`] made; unknown keys are passed over.
///
/// # Errors
/// `Config`, for another format or another shape.
pub fn from_value(value: Value) -> Result<Report> {
    let format = value.get("format").and_then(Value::as_u64);
    if format != Some(FORMAT) {
        return Err(Error::new(ErrorKind::Config, format!("this is not a report of format {FORMAT}"))
            .hint("Use the version of dbferry that wrote it"));
    }
    serde_json::from_value(value).map_err(|error| Error::new(ErrorKind::Config, "this is not a report").with_source(error))
}

/// Writes the report. The file holds all of it or what it held before: it is written aside and renamed.
///
/// # Errors
/// Those of [`check_path`]; `Io` or `DiskFull`.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    check_path(path)?;
    let mut text = format!("{:#}", to_value(report)?);
    text.push('\n');
    let aside = aside(path);
    let written = write_aside(&aside, text.as_bytes()).and_then(|()| fs::rename(&aside, path));
    written.map_err(|error| {
        // Whether it goes or not, the first error is the one that tells something.
        drop(fs::remove_file(&aside));
        Error::from(error).file(path.display())
    })
}

fn write_aside(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name in the same folder, since a rename does not leave its file system; with the process in it, since two may write.
fn aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    folder(path).join(name)
}

#[cfg(test)]
mod tests {
    use super::super::text::sample;
    use super::*;

    #[test]
    fn a_report_comes_back_from_its_file_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        fs::write(&path, "old").unwrap();
        let report = sample();
        write(&report, &path).unwrap();
        let value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(from_value(value).unwrap(), report);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn the_shape_is_the_one_that_readers_know() {
        let value = to_value(&sample()).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(
            keys(&value),
            "format command run version source target seconds phases position verify tables problems errors proven exit_code"
        );
        assert_eq!(keys(&value["tables"][0]), "source target rows bytes seconds chunks consistency digest outcome");
        assert_eq!(value["tables"][0]["outcome"], "verified");
        assert_eq!(value["tables"][0]["digest"]["sum"], "9f3a21c4000000000000000000000001");
        assert_eq!(value["problems"][0]["severity"], "not_carried");
        assert_eq!(value["problems"][0]["ddl"], "CREATE VIEW v_orders AS SELECT 1");
    }

    #[test]
    fn a_report_that_cannot_be_written_is_refused_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        for (name, says) in [("a.html", "no HTML report yet"), ("a", "told by its name"), ("no/a.json", "no folder")] {
            let error = check_path(&folder.path().join(name)).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.hint_text().is_some());
        }
        check_path(&folder.path().join("a.json")).unwrap();
        check_path(Path::new("a.json")).unwrap();
    }
}
