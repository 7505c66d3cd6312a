//! dbferry, the command.

use std::process::ExitCode;

use dbferry::cli::args::Cli;
use dbferry::cli::printer::Printer;

fn main() -> ExitCode {
    return_large_blocks();
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

/// Has the allocator give blocks of rows back to the system as soon as they are free.
///
/// glibc takes them from the system one by one only above a size that it raises by itself up to 32 MiB; below, each of its heaps keeps what it had at
/// most. What a run then holds has little to do with what it uses.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn return_large_blocks() {
    // Larger than what batches and encoders are made of for tables of usual rows, which is used again and again.
    const BLOCK_BYTES: libc::c_int = 4 << 20;
    #[expect(unsafe_code, reason = "the setting has no other interface; it is made before any other thread is started")]
    // SAFETY: mallopt may be called at any time; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, BLOCK_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, BLOCK_BYTES);
    }
}

/// Other allocators have ways of their own.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn return_large_blocks() {}
