//! Both ends, opened; progress, log and signals, set up.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::config::endpoint::Endpoint;
use crate::engine::{SessionOptions, Sink, Source, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RunId;
use crate::progress::{self, Progress};
use crate::transfer::stop::{Reason, Stop, channel};

use super::args::OutputArgs;
use super::printer::Printer;

/// Connecting, with a password that a command gives, may take so long however impatient a person is.
const LEAST_PATIENCE: Duration = Duration::from_secs(30);

/// What the sessions of `run` share.
pub fn options(settings: &Settings, run: RunId) -> SessionOptions {
    SessionOptions {
        application_name: format!("dbferry/{run}"),
        jobs: settings.effective_jobs(),
        ledger_schema: settings.ledger_schema.clone(),
    }
}

/// Connects to both ends, side by side.
///
/// # Errors
/// As both engines' `open_…`; `Timeout` when an answer does not come for as long as a run may stall.
pub async fn open(settings: &Settings, run: RunId) -> Result<(Arc<dyn Source>, Arc<dyn Sink>)> {
    let options = options(settings, run);
    let opening = async {
        tokio::try_join!(
            registry::engine(settings.source.engine).open_source(&settings.source, &options),
            open_sink(&settings.target, &options)
        )
    };
    if settings.stall_timeout.is_zero() {
        return opening.await;
    }
    let patience = settings.stall_timeout.max(LEAST_PATIENCE);
    tokio::time::timeout(patience, opening).await.unwrap_or_else(|_| {
        let seconds = patience.as_secs();
        let what = format!("the sessions with source and target could not be set up within {seconds} seconds");
        Err(Error::new(ErrorKind::Timeout, what).hint("A connection may have been lost on the way without a word; try again"))
    })
}

/// Connects to a target.
pub async fn open_sink(target: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Sink>> {
    registry::engine(target.engine).open_sink(target, options).await
}

/// Starts showing progress, and sends the log where it does not break the bars.
pub fn watch(output: &OutputArgs, printer: &Printer) -> Progress {
    let progress = if printer.is_quiet() { Progress::silent() } else { progress::start(output.progress) };
    let level = match printer.verbosity() {
        0 => "warn",
        1 => "dbferry=info,warn",
        _ => "dbferry=debug,sqlx=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let shown = progress.clone();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || shown.log_writer()).with_ansi(false);
    // Only the first one of a process can be set; a second command in the same process keeps it.
    if log.try_init().is_err() {
        tracing::debug!("the log is set up already");
    }
    progress
}

/// Hears SIGINT and SIGTERM from now on: the first one stops the work in order, the second one ends the process at once.
pub fn hear_signals(progress: &Progress) -> Stop {
    let (stopper, stop) = channel();
    let progress = progress.clone();
    tokio::spawn(async move {
        let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(signal) => signal,
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be heard");
                return;
            }
        };
        loop {
            let reason = tokio::select! {
                heard = tokio::signal::ctrl_c() => match heard {
                    Ok(()) => Reason::Interrupt,
                    Err(error) => {
                        tracing::warn!(%error, "SIGINT cannot be heard");
                        return;
                    }
                },
                _ = terminate.recv() => Reason::Terminate,
            };
            if stopper.reason().is_some() {
                progress.close();
                std::process::exit(i32::from(code(reason)));
            }
            progress.print("stopping: chunks under way are taken back; once more to leave at once\n");
            stopper.stop(reason);
        }
    });
    stop
}

/// The exit code that belongs to a reason.
pub fn code(reason: Reason) -> u8 {
    match reason {
        Reason::Interrupt => super::INTERRUPTED,
        Reason::Terminate => super::TERMINATED,
    }
}
