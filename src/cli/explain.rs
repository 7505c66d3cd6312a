//! `dbferry explain`: all that is known of one column or table. Changes nothing.

use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::engine::registry;
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::Route;
use crate::model::RunId;
use crate::plan::explain;
use crate::plan::make::{Depth, make, now_us};
use crate::progress::{Event, Phase};

use super::args::{ExplainArgs, OutputArgs, ReportFormat};
use super::printer::Printer;
use super::session;

/// Prints the explanation; 1 when what was asked for is refused.
pub async fn explain(args: &ExplainArgs, output: &OutputArgs, printer: &mut Printer) -> Result<u8> {
    let Some(asked) = args.asked() else {
        let error = Error::new(ErrorKind::Config, "nothing says what to explain");
        return Err(error.hint("Name a table or a column beside the addresses: `orders`, `orders.total`"));
    };
    let settings = load::settings(&Overrides::from(args), &process_environment)?;
    printer.keep_secrets_of(&settings);
    let progress = session::watch(output, printer);
    let stop = session::hear_signals(&progress);
    progress.emit(Event::Phase { phase: Phase::Plan, steps: 0 });
    let made = stop
        .unless_stopped(async {
            let (source, sink) = session::open(&settings, RunId::generate()).await?;
            let plan = make(&settings, &source, &sink, Depth::ToExplain(asked), now_us()).await?;
            let (from, to) = (registry::engine(settings.source.engine), registry::engine(settings.target.engine));
            let route = Route {
                source: from.dialect(),
                source_name: from.kind().name(),
                target: to.dialect(),
                target_name: to.kind().name(),
                target_server: sink.server(),
            };
            explain::explain(&plan, asked, route)
        })
        .await;
    progress.close();
    let explanation = made?;
    match args.format {
        ReportFormat::Text => printer.data(&explain::text::text(&explanation))?,
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(&explanation);
            printer.data(&json.map_err(|error| Error::internal("an explanation is not JSON").with_source(error))?)?;
        }
    }
    Ok(if explanation.is_refused() { super::DIFFERS } else { super::DONE })
}
