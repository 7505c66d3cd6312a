//! A double of the network: a proxy in front of a server that can cut, stall, slow and delay what passes, and refuse connections.
//!
//! Its faults are ordered while it runs, and a fault that waits for a number of bytes counts what passes from then on, over all connections.
//! It has a runtime and a thread of its own, so that tests may block.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In order: the other side reads to the end.
    Fin,
    /// At once: the other side gets an error.
    Reset,
}

/// What happens to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Once so many bytes have passed that way, the connection that passes the last of them is cut there, in both directions.
    CutAfter(Way, u64, End),
    /// Once these bytes pass that way in one piece, the connection is cut before them.
    CutAt(Way, Vec<u8>, End),
    /// Once so many bytes have passed that way, nothing passes any more on that connection, and on no new one.
    StallAfter(Way, u64),
}

/// What a connection is told by the proxy as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Pass,
    Stall,
    /// Connections of generations before this one end.
    Cut(u64, End),
}

struct State {
    server: SocketAddr,
    fault: Mutex<Option<Fault>>,
    /// How many more times the fault happens.
    times: AtomicU64,
    passed: [AtomicU64; 2],
    /// Bytes per second that pass a connection each way; 0 for any number.
    speed: AtomicU64,
    /// Milliseconds that each piece is held up.
    delay: AtomicU64,
    refuses: AtomicBool,
    happened: AtomicU64,
    generation: AtomicU64,
    order: watch::Sender<Order>,
}

/// A proxy on a port of its own.
pub struct Proxy {
    state: Arc<State>,
    port: u16,
    /// Ends its thread.
    _alive: tokio::sync::oneshot::Sender<()>,
}

impl Proxy {
    /// In front of the server of an address: `mysql://test:secret@127.0.0.1:3306/shop`.
    pub fn before(url: &str) -> Self {
        let place = url.split("://").nth(1).unwrap().rsplit('@').next().unwrap().split('/').next().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server: place.parse().unwrap(),
            fault: Mutex::new(None),
            times: AtomicU64::new(0),
            passed: [AtomicU64::new(0), AtomicU64::new(0)],
            speed: AtomicU64::new(0),
            delay: AtomicU64::new(0),
            refuses: AtomicBool::new(false),
            happened: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            order: watch::channel(Order::Pass).0,
        });
        let (alive, gone) = tokio::sync::oneshot::channel();
        let own = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                tokio::select! {
                    () = own.listen(TcpListener::from_std(listener).unwrap()) => {}
                    _ = gone => {}
                }
            });
        });
        Proxy { state, port, _alive: alive }
    }

    /// The address, by way of the proxy.
    pub fn url(&self, url: &str) -> String {
        let server = self.state.server.to_string();
        assert!(url.contains(&server), "{url} is not at {server}");
        url.replace(&server, &format!("127.0.0.1:{}", self.port))
    }

    /// Lets a fault happen, so many times, counted in bytes from now on.
    pub fn order(&self, fault: Fault, times: u64) {
        let mut place = self.state.fault.lock().unwrap();
        self.state.passed.iter().for_each(|passed| passed.store(0, Ordering::SeqCst));
        self.state.times.store(times, Ordering::SeqCst);
        *place = Some(fault);
    }

    /// How often a fault has happened.
    pub fn happened(&self) -> u64 {
        self.state.happened.load(Ordering::SeqCst)
    }

    /// Lets so many bytes per second pass, on each connection, each way; any number for 0.
    pub fn slow(&self, bytes_per_second: u64) {
        self.state.speed.store(bytes_per_second, Ordering::SeqCst);
    }

    /// Holds each piece up for so long, each way.
    pub fn delay(&self, delay: Duration) {
        self.state.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Cuts all connections, and refuses new ones until [`Self::heal`].
    pub fn go_away(&self, how: End) {
        self.state.refuses.store(true, Ordering::SeqCst);
        self.cut(how);
    }

    /// Cuts all connections that there are.
    pub fn cut(&self, how: End) {
        let next = self.state.generation.fetch_add(1, Ordering::SeqCst) + 1;
        self.state.order.send_replace(Order::Cut(next, how));
    }

    /// From now on nothing passes, on no connection, and none is closed.
    pub fn stall(&self) {
        self.state.order.send_replace(Order::Stall);
    }

    /// Ends all faults. What was stalled is cut.
    pub fn heal(&self) {
        *self.state.fault.lock().unwrap() = None;
        self.state.refuses.store(false, Ordering::SeqCst);
        if *self.state.order.borrow() == Order::Stall {
            self.cut(End::Reset);
        }
    }

    /// Waits until so many bytes have passed that way since the last order.
    pub fn wait_for(&self, way: Way, bytes: u64) {
        let began = Instant::now();
        while self.state.passed[way as usize].load(Ordering::SeqCst) < bytes {
            assert!(began.elapsed() < Duration::from_secs(60), "{bytes} bytes do not pass");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl State {
    async fn listen(self: &Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((client, _)) = listener.accept().await else { continue };
            if self.refuses.load(Ordering::SeqCst) {
                reset(&client);
                continue;
            }
            let this = Arc::clone(self);
            tokio::spawn(async move {
                let generation = this.generation.load(Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(this.server).await else { return };
                this.serve(client, server, generation).await;
            });
        }
    }

    /// Both directions of a connection, until one of them ends.
    async fn serve(&self, mut client: TcpStream, mut server: TcpStream, generation: u64) {
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let mut order = self.order.subscribe();
        let cut = async {
            let is_cut = |order: &Order| matches!(order, Order::Cut(before, _) if generation < *before);
            match order.wait_for(is_cut).await.map(|order| *order) {
                Ok(Order::Cut(_, how)) => how,
                _ => End::Fin,
            }
        };
        let how = {
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            tokio::select! {
                how = self.pass(Way::Up, &mut from_client, &mut to_server) => how,
                how = self.pass(Way::Down, &mut from_server, &mut to_client) => how,
                how = cut => how,
            }
        };
        match how {
            End::Reset => [&client, &server].into_iter().for_each(reset),
            End::Fin => {
                let _ = client.shutdown().await;
                let _ = server.shutdown().await;
            }
        }
    }

    async fn pass(&self, way: Way, from: &mut (impl AsyncReadExt + Unpin), to: &mut (impl AsyncWriteExt + Unpin)) -> End {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return End::Fin,
                Ok(count) => count,
            };
            self.while_stalled().await;
            let delay = self.delay.load(Ordering::SeqCst);
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            let speed = self.speed.load(Ordering::SeqCst);
            if let Some(micros) = (count as u64 * 1_000_000).checked_div(speed) {
                tokio::time::sleep(Duration::from_micros(micros)).await;
            }
            let piece = &buffer[..count];
            match self.due(way, piece) {
                Some((rest, how)) => {
                    let _ = to.write_all(&piece[..rest]).await;
                    let Some(how) = how else {
                        self.order.send_replace(Order::Stall);
                        self.while_stalled().await;
                        return End::Reset;
                    };
                    return how;
                }
                None if to.write_all(piece).await.is_err() => return End::Fin,
                None => {}
            }
        }
    }

    async fn while_stalled(&self) {
        let _ = self.order.subscribe().wait_for(|order| *order != Order::Stall).await;
    }

    /// Whether the fault happens in this piece: after how many of its bytes, and how the connection ends, if it does.
    fn due(&self, way: Way, piece: &[u8]) -> Option<(usize, Option<End>)> {
        let mut fault = self.fault.lock().unwrap();
        let before = self.passed[way as usize].fetch_add(piece.len() as u64, Ordering::SeqCst);
        let within = |bytes: u64| {
            let reached = before + piece.len() as u64 >= bytes;
            reached.then(|| usize::try_from(bytes.saturating_sub(before)).unwrap().min(piece.len()))
        };
        let due = match fault.as_ref()? {
            Fault::CutAfter(of, bytes, how) if *of == way => (within(*bytes)?, Some(*how)),
            Fault::CutAt(of, text, how) if *of == way => {
                (piece.windows(text.len()).position(|window| window == text.as_slice())?, Some(*how))
            }
            Fault::StallAfter(of, bytes) if *of == way => (within(*bytes)?, None),
            _ => return None,
        };
        self.happened.fetch_add(1, Ordering::SeqCst);
        self.passed.iter().for_each(|passed| passed.store(0, Ordering::SeqCst));
        if self.times.fetch_sub(1, Ordering::SeqCst) <= 1 {
            *fault = None;
        }
        Some(due)
    }
}

/// Lets the socket end with a reset, once it is dropped.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
