//! Keeping the lease of a run while it is worked on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::engine::Sink;
use crate::error::{Error, ErrorKind};
use crate::ledger::lease::Holder;
use crate::model::RunId;

/// How long giving the lease back may take: a session that ends gives it back as well.
const RELEASE: Duration = Duration::from_secs(2);

/// Renews the lease of a run, until it is dropped or given back.
pub(super) struct Keeper {
    sink: Arc<dyn Sink>,
    run: RunId,
    task: JoinHandle<()>,
    lost: oneshot::Receiver<Error>,
}

impl Keeper {
    /// Begins; the lease is held already.
    pub(super) fn start(sink: Arc<dyn Sink>, run: RunId, holder: Holder) -> Self {
        let (say, lost) = oneshot::channel();
        let own = Arc::clone(&sink);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(holder.pause()).await;
                match own.ledger().renew(run, &holder).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::Ledger => {
                        // The run may have ended in this moment, so that nobody listens.
                        let _ = say.send(error);
                        return;
                    }
                    // A server that is away for a while: until it is back nobody else can take the run over either.
                    Err(error) => tracing::debug!(%error, "the lease was not renewed"),
                }
            }
        });
        Keeper { sink, run, task, lost }
    }

    /// Waits until another coordinator has taken the run over.
    pub(super) async fn lost(&mut self) -> Error {
        match (&mut self.lost).await {
            Ok(error) => error,
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives the lease back, so that the next coordinator need not ask whether this one lives.
    pub(super) async fn release(self) {
        self.task.abort();
        match tokio::time::timeout(RELEASE, self.sink.ledger().release(self.run)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the lease was not given back; its session ends with this process"),
            Err(_) => tracing::debug!("the lease was not given back in time; its session ends with this process"),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}
