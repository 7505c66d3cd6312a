//! Doing many things, some of them side by side.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// Does `work` for each of `items`, at most `width` at a time, in their order; each worker is a task of its own, so that they share all cores.
/// The first `Err` ends it: items not begun are left, those under way are dropped.
///
/// # Errors
/// The first error; `Internal` if a worker panicked.
pub async fn each<T, F, W>(width: usize, items: impl IntoIterator<Item = T>, work: W) -> Result<()>
where
    T: Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
    W: Fn(T) -> F + Send + Sync + 'static,
{
    let queue: VecDeque<T> = items.into_iter().collect();
    let width = width.clamp(1, queue.len().max(1));
    let queue = Arc::new(Mutex::new(queue));
    let work = Arc::new(work);
    let mut workers = JoinSet::new();
    for _ in 0..width {
        let (queue, work) = (Arc::clone(&queue), Arc::clone(&work));
        workers.spawn(async move {
            loop {
                let item = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                match item {
                    Some(item) => work(item).await?,
                    None => return Ok(()),
                }
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(panic) => return Err(Error::internal("a worker panicked").with_source(panic)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn every_item_is_worked_on_once() {
        let sum = Arc::new(AtomicUsize::new(0));
        let inner = Arc::clone(&sum);
        each(3, 1..=100, move |item| {
            let sum = Arc::clone(&inner);
            async move {
                sum.fetch_add(item, Ordering::Relaxed);
                Ok(())
            }
        })
        .await
        .unwrap();
        assert_eq!(sum.load(Ordering::Relaxed), 5050);
    }

    #[tokio::test]
    async fn the_first_error_ends_it() {
        let error = each(2, 1..=100, |item| async move { if item == 3 { Err(Error::internal("three")) } else { Ok(()) } }).await;
        assert_eq!(error.unwrap_err().what(), "three");
    }
}
