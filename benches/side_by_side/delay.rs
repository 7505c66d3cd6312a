//! A TCP proxy that delays what passes: `delay HOST PORT MILLISECONDS [TRACE]`; prints the port that it listens on.
//!
//! Half of the round trip in each direction. Data is not slowed down, only late; so much may be under way as a window of TCP on a long line.
//! With a file to trace into, each turn of a connection (the client sends again after the server has answered) becomes a line: seconds since the
//! start, the number of the connection, the turn, how long the client was silent before, and what can be read of its first bytes.
//! Of the standard library alone: `rustc -O delay.rs` takes a second, and nothing else is built.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes under way in one direction of a connection at most: the kernel's usual bound of a window, `tcp_wmem`.
const UNDER_WAY: usize = 4 << 20;
/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;
/// Bytes of a turn that the trace has.
const SHOWN: usize = 160;

/// What is under way in one direction.
#[derive(Default)]
struct Line {
    waiting: Mutex<(VecDeque<(Instant, Vec<u8>)>, usize)>,
    news: Condvar,
}

struct Trace {
    began: Instant,
    file: Mutex<File>,
}

/// What both directions of a connection know.
struct Connection {
    number: u64,
    turns: AtomicU64,
    /// The server has answered since the client's last turn.
    answered: AtomicBool,
    trace: Option<Arc<Trace>>,
}

impl Connection {
    fn up(&self, bytes: &[u8], silent: Duration) {
        if !self.answered.swap(false, Ordering::SeqCst) {
            return;
        }
        let turn = self.turns.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(trace) = &self.trace else { return };
        let text: String = bytes
            .iter()
            .take(SHOWN)
            .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
            .collect();
        let at = trace.began.elapsed().as_secs_f64();
        let mut file = trace.file.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = silent.as_secs_f64() * 1e3;
        let _ = writeln!(file, "{at:.4} {} {turn} {silent:.1} {} {text}", self.number, bytes.len());
    }
}

/// Passes what comes from `from` on to `to`, late.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration, up: bool, connection: &Connection) {
    let line = Arc::new(Line::default());
    let sending = Arc::clone(&line);
    let sender = thread::spawn(move || {
        loop {
            let mut waiting = sending.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let (due, bytes) = loop {
                match waiting.0.pop_front() {
                    Some(next) => break next,
                    None => waiting = sending.news.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(waiting);
            if let Some(left) = due.checked_duration_since(Instant::now()) {
                thread::sleep(left);
            }
            let ended = bytes.is_empty() || to.write_all(&bytes).is_err();
            sending.waiting.lock().unwrap_or_else(PoisonError::into_inner).1 -= bytes.len();
            sending.news.notify_all();
            if ended {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    });
    let mut last = Instant::now();
    loop {
        let mut bytes = vec![0; PIECE];
        let count = from.read(&mut bytes).unwrap_or(0);
        bytes.truncate(count);
        if up {
            connection.up(&bytes, last.elapsed());
        } else if count > 0 {
            connection.answered.store(true, Ordering::SeqCst);
        }
        last = Instant::now();
        let mut waiting = line.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.1 > UNDER_WAY && !sender.is_finished() {
            waiting = line.news.wait_timeout(waiting, Duration::from_millis(100)).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.1 += count;
        waiting.0.push_back((Instant::now() + delay, bytes));
        line.news.notify_all();
        drop(waiting);
        if count == 0 || sender.is_finished() {
            let _ = from.shutdown(Shutdown::Read);
            let _ = sender.join();
            return;
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().unwrap_or_else(|| panic!("{what} is missing"));
    let place = format!("{}:{}", next("the host"), next("the port"));
    let delay = Duration::from_secs_f64(next("the milliseconds").parse::<f64>().expect("milliseconds") / 2000.0);
    let trace = arguments.next().map(|name| {
        Arc::new(Trace { began: Instant::now(), file: Mutex::new(File::create(name).expect("a file to trace into")) })
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("a port").port());
    for (number, client) in listener.incoming().enumerate() {
        let Ok(client) = client else { continue };
        let (place, trace) = (place.clone(), trace.clone());
        thread::spawn(move || {
            let Ok(server) = TcpStream::connect(&place) else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let connection =
                Connection { number: number as u64, turns: AtomicU64::new(0), answered: AtomicBool::new(true), trace };
            let ways = (client.try_clone(), server.try_clone());
            let (Ok(back), Ok(there)) = ways else { return };
            thread::scope(|scope| {
                scope.spawn(|| pass(server, back, delay, false, &connection));
                pass(client, there, delay, true, &connection);
            });
        });
    }
}
