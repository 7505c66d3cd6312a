//! Stopping on request: one signal that every worker sees between two awaits.

use tokio::sync::watch;

use crate::error::{Error, ErrorKind, Result};

/// Why a run is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Asks a run to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<Reason>>);

/// Sees whether a run is asked to stop; cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<Reason>>);

/// A pair of both.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// The reason, once there is one.
    pub fn reason(&self) -> Option<Reason> {
        *self.0.borrow()
    }

    /// Asks. The first reason stays.
    pub fn stop(&self, reason: Reason) {
        self.0.send_if_modified(|now| {
            let first = now.is_none();
            now.get_or_insert(reason);
            first
        });
    }
}

impl Stop {
    /// The reason, once there is one.
    pub fn reason(&self) -> Option<Reason> {
        *self.0.borrow()
    }

    /// Does `work`, unless a stop is asked for first: then `work` is dropped where it stands, which takes its transaction back.
    ///
    /// # Errors
    /// Those of `work`, or `Interrupted`.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut receiver = self.0.clone();
        let stopped = async move {
            if receiver.wait_for(Option::is_some).await.is_err() {
                // The stopper is gone: nobody can ask any more.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped => Err(Error::new(ErrorKind::Interrupted, "the run was asked to stop")),
            result = work => result,
        }
    }
}
