//! `dbferry abandon`: what an unfinished run has made goes.

use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::engine::{SessionOptions, registry};
use crate::error::Result;
use crate::model::RunId;
use crate::report::human;
use crate::transfer::abandon::{self, Given};
use crate::transfer::choose;

use super::args::AbandonArgs;
use super::printer::Printer;
use super::session;

/// Does it; without `--yes` only says what it would do.
pub async fn abandon(args: &AbandonArgs, printer: &mut Printer) -> Result<u8> {
    let (target, ledger_schema) = load::target(&Overrides::from(args), &process_environment)?;
    printer.keep_secret(&target);
    let options = SessionOptions { application_name: format!("dbferry/{}", RunId::generate()), jobs: 2, ledger_schema };
    let sink = session::open_sink(&target, &options).await?;
    let runs = sink.ledger().runs().await?;
    let record = choose::find(&runs, &args.run)?;
    let dialect = registry::engine(target.engine).dialect();
    if !args.yes {
        let given = abandon::look(&*sink, &runs, record).await?;
        printer.data(&text(&given, &format!("Giving up the run {} would:\n", record.run)))?;
        printer.note("nothing was changed\nhint: add `--yes` to do it");
        return Ok(super::NOT_STARTED);
    }
    let given = abandon::abandon(&sink, dialect, &runs, record).await?;
    printer.data(&text(&given, &format!("The run {} is given up:\n", record.run)))?;
    Ok(super::DONE)
}

fn text(given: &Given, first: &str) -> String {
    let mut text = first.to_string();
    for table in &given.dropped {
        text.push_str(&format!("  drop {table}, which it has made\n"));
    }
    for object in &given.restored {
        text.push_str(&format!("  put back {object}\n"));
    }
    for (table, rows) in &given.kept {
        text.push_str(&format!(
            "  leave {table}, which stood before, with {} rows that the run has put there\n",
            human::count(*rows)
        ));
    }
    for (table, rows) in &given.upserted {
        text.push_str(&format!(
            "  leave {table}, which stood before, as it is now: {} rows were sent there by their key, and added or put in the place of others\n",
            human::count(*rows)
        ));
    }
    for table in &given.later {
        text.push_str(&format!("  leave {table}, which a later run has made\n"));
    }
    text.push_str("  forget its receipts\n");
    text
}
