//! `[[hook]]` in a mapping file: SQL of a person's own, before and after the work.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::is_zero;
use crate::error::{Error, ErrorKind};
use crate::model::hook::{HookSide, HookWhen};

/// SQL of a person's own, run at a point of the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookRule {
    /// Its name in plan, ledger and report. Default: `hook 1` and so on, by its place in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// Before or after the table, or the run.
    pub when: HookWhen,
    /// Which database runs it.
    pub side: HookSide,
    /// The source table's name, exactly. Default: the hook is about the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub table: Option<String>,
    /// One statement or several, with `;` between. Run as it is: `${NAME}` does not stand for the environment here, since the plan
    /// with its hooks is stored in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "sql"))]
    pub sql: Option<String>,
    /// Path of a file with the SQL instead, from the folder of this file. It is read when the mapping is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub file: Option<String>,
    /// Run it in one transaction; on the target that of its ledger entry, so that it is never run twice. Set it to false for
    /// statements that refuse that, such as VACUUM: one statement a hook then.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub transaction: bool,
    /// Running it twice does no harm: a resumed run may do so when nobody knows whether it went through.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rerun: bool,
    /// Line in its file, for messages; set when it is loaded.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

fn yes() -> bool {
    true
}

fn is_true(flag: &bool) -> bool {
    *flag
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl HookRule {
    /// Its name, or the one that it has by its place, counted from 0.
    pub fn name_at(&self, place: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("hook {}", place + 1))
    }

    /// What it does, without where that is written. `rerun` says what a person knows of it, not what it does.
    pub(super) fn without_place(self) -> Self {
        HookRule { line: 0, file: None, rerun: false, ..self }
    }
}

/// What contradicts itself; each fault with its line.
pub(super) fn faults(hooks: &[HookRule], file: &str, faults: &mut Vec<Error>) {
    for (place, hook) in hooks.iter().enumerate() {
        let mut fault = |what: String, hint: &str| {
            faults.push(Error::new(ErrorKind::Config, what).hint(hint).file(format!("{file}:{}", hook.line)));
        };
        let name = hook.name_at(place);
        match (&hook.sql, &hook.file) {
            (None, None) => fault(format!("the hook `{name}` has nothing to run"), "Give it `sql = \"…\"` or `file = \"….sql\"`"),
            (Some(_), Some(_)) => fault(format!("the hook `{name}` has both `sql` and `file`"), "Take out one of the two"),
            (Some(sql), None) if sql.trim().is_empty() => fault(format!("the SQL of the hook `{name}` is empty"), "Take it out"),
            _ => {}
        }
        if let Some(first) = (0..place).find(|first| hooks[*first].name_at(*first) == name) {
            fault(format!("the hook in line {} is named `{name}`, too", hooks[first].line), "Give each hook a name of its own");
        }
    }
}

/// Puts the content of files into `sql`, so that what is planned is what will run. `mapping` is the path of the mapping file.
pub(super) fn read_files(hooks: &mut [HookRule], mapping: &str, faults: &mut Vec<Error>) {
    let folder = Path::new(mapping).parent().unwrap_or(Path::new(""));
    for hook in hooks.iter_mut().filter(|hook| hook.sql.is_none()) {
        let Some(file) = &hook.file else { continue };
        let place = format!("{mapping}:{}", hook.line);
        match std::fs::read_to_string(folder.join(file)) {
            Ok(sql) if sql.trim().is_empty() => faults.push(
                Error::new(ErrorKind::Config, format!("the file `{file}` of a hook is empty"))
                    .hint("Write its SQL, or take the hook out")
                    .file(place),
            ),
            Ok(sql) => hook.sql = Some(sql),
            Err(error) => faults.push(
                Error::new(ErrorKind::Config, format!("the file `{file}` of a hook cannot be read"))
                    .with_source(error)
                    .hint("A path is from the folder of the mapping file; the file must be UTF-8")
                    .file(place),
            ),
        }
    }
}
