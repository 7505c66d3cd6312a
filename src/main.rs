//! dbferry, the command.

use std::process::ExitCode;

use dbferry::cli::args::Cli;
use dbferry::cli::printer::Printer;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(Printer::new(false, 0).usage(&error)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            Printer::new(false, 0).error(&error.into());
            return ExitCode::from(dbferry::cli::NOT_STARTED);
        }
    };
    let code = runtime.block_on(Box::pin(dbferry::cli::main(cli)));
    // Readers that are still blocked in a file or a socket must not hold the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}
