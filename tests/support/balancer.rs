//! A double of the proxies that stand before MySQL: two sessions of the server serve each client, as a proxy of that kind would share its
//! statements out. Settings reach both, as such proxies see to. The login must have no password, since it is passed on to both.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How statements are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Not at all: the first session serves its client to the end.
    Nothing,
    /// One after the other, but for those within a transaction.
    Statements,
    /// What reads goes to the second one: statements outside of transactions, and transactions that only read.
    Reads,
}

/// The double; gone when dropped.
pub struct Balancer {
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Balancer {
    /// Stands before the server of `url`.
    pub async fn before(url: &str, spread: Spread) -> Self {
        let server = url::Url::parse(url).unwrap();
        let server = Arc::new((server.host_str().unwrap().to_string(), server.port().unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    // A side that hangs up ends it.
                    let _ = serve(client, &server, spread).await;
                });
            }
        });
        Balancer { port, task }
    }

    /// The address by way of it, with another login.
    pub fn url(&self, url: &str, user: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.set_username(user).unwrap();
        url.set_password(None).unwrap();
        url.to_string()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A packet with its header.
async fn packet(from: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    from.read_exact(&mut packet).await?;
    let length = usize::from(packet[0]) | usize::from(packet[1]) << 8 | usize::from(packet[2]) << 16;
    packet.resize(4 + length, 0);
    from.read_exact(&mut packet[4..]).await?;
    Ok(packet)
}

async fn serve(mut client: TcpStream, server: &(String, u16), spread: Spread) -> std::io::Result<()> {
    let mut sessions = [TcpStream::connect(server).await?, TcpStream::connect(server).await?];
    let hello = packet(&mut sessions[0]).await?;
    packet(&mut sessions[1]).await?;
    client.write_all(&hello).await?;
    let login = packet(&mut client).await?;
    for session in &mut sessions {
        session.write_all(&login).await?;
    }
    let answer = packet(&mut sessions[0]).await?;
    packet(&mut sessions[1]).await?;
    client.write_all(&answer).await?;

    let [first, second] = sessions.map(TcpStream::into_split);
    let (mut answers, mut asked): ([OwnedReadHalf; 2], [OwnedWriteHalf; 2]) = ([first.0, second.0], [first.1, second.1]);
    let (from, mut to) = client.into_split();
    let (mut last, mut within) = (0, None);
    let mut question = Box::pin(next(from));
    let mut buffers = [vec![0; 65536], vec![0; 65536]];
    loop {
        let [one, two] = &mut answers;
        let [left, right] = &mut buffers;
        tokio::select! {
            read = one.read(left) => match read? {
                0 => return Ok(()),
                count => to.write_all(&left[..count]).await?,
            },
            read = two.read(right) => match read? {
                0 => return Ok(()),
                count => to.write_all(&right[..count]).await?,
            },
            (asking, rest) = &mut question => {
                let asking = asking?;
                let sql = if asking.get(4) == Some(&3) { statement(&asking[5..]) } else { String::new() };
                let goes = match spread {
                    _ if sql.is_empty() || spread == Spread::Nothing => 0,
                    _ if within.is_some() => within.unwrap(),
                    Spread::Statements => 1 - last,
                    _ if sql.starts_with("SELECT") || sql.contains("READ ONLY") => 1,
                    _ => 0,
                };
                if spread != Spread::Nothing && sql.starts_with("SET") {
                    // Its answer is one packet, which the client is not to see twice.
                    asked[1].write_all(&asking).await?;
                    tokio::time::timeout(Duration::from_secs(10), packet(&mut answers[1])).await??;
                    asked[0].write_all(&asking).await?;
                } else {
                    asked[goes].write_all(&asking).await?;
                    last = goes;
                }
                if sql.starts_with("START TRANSACTION") || sql.starts_with("BEGIN") {
                    within = Some(goes);
                } else if sql.starts_with("COMMIT") || sql.starts_with("ROLLBACK") {
                    within = None;
                }
                question = Box::pin(next(rest));
            }
        }
    }
}

/// The next packet, and the socket to go on with.
async fn next(mut from: OwnedReadHalf) -> (std::io::Result<Vec<u8>>, OwnedReadHalf) {
    let read = packet(&mut from).await;
    (read, from)
}

/// A statement in capitals, without a comment before it.
fn statement(bytes: &[u8]) -> String {
    let sql = String::from_utf8_lossy(bytes).trim_start().to_string();
    let bare = sql.strip_prefix("/*").and_then(|rest| rest.split_once("*/")).map_or(sql.as_str(), |(_, rest)| rest);
    bare.trim_start().to_uppercase()
}
