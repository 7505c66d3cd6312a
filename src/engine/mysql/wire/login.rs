//! The handshake: capabilities, encryption, the password by one of the server's methods. See "Connection Phase" and its packets
//! "HandshakeV10", "SSLRequest", "HandshakeResponse41", "AuthSwitchRequest" and "AuthMoreData".

use rsa::pkcs8::DecodePublicKey;
use rsa::{Oaep, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::fault::Fault;
use super::fields::{Fields, put_string};
use super::packets::Packets;
use super::socket::Place;
use super::tls::{Tls, TlsMode, encrypt};

/// "Capabilities Flags". CLIENT_LONG_PASSWORD also tells MariaDB that we speak MySQL's dialect of the protocol.
const LONG_PASSWORD: u32 = 1;
const LONG_FLAG: u32 = 1 << 2;
const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
const DEPRECATE_EOF: u32 = 1 << 24;

/// What we can, if the server can; encryption and a database come in addition.
const WANTED: u32 =
    LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | PLUGIN_AUTH_LENENC | DEPRECATE_EOF;

/// utf8mb4_general_ci, which all servers know by this number.
const CHARSET: u8 = 45;

/// The largest payload that we take: as much as the server can be set to send.
const MOST_BYTES: u32 = 1 << 30;

/// Who connects, and how.
pub(in crate::engine::mysql) struct Login<'a> {
    pub(in crate::engine::mysql) host: &'a str,
    pub(in crate::engine::mysql) port: u16,
    /// A local socket, instead of host and port.
    pub(in crate::engine::mysql) socket: Option<&'a str>,
    pub(in crate::engine::mysql) tls: &'a Tls,
    pub(in crate::engine::mysql) user: &'a str,
    pub(in crate::engine::mysql) password: &'a str,
    /// The session's database, if it has one.
    pub(in crate::engine::mysql) database: Option<&'a str>,
}

/// A session that has been let in.
pub(super) struct Admitted {
    pub(super) packets: Packets,
    /// Results end with an OK packet, and no EOF packets are sent.
    pub(super) deprecate_eof: bool,
}

/// What the server says first.
#[derive(Debug, PartialEq, Eq)]
struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: String,
}

impl Greeting {
    fn read(packet: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::of(packet);
        let version = fields.u8()?;
        if version != 10 {
            return Err(Fault::protocol(format!("the server speaks version {version} of the protocol")));
        }
        fields.until_zero();
        let _thread = fields.u32()?;
        let mut nonce = fields.bytes(8)?.to_vec();
        fields.u8()?;
        let low = fields.u16()?;
        let _charset_and_status = fields.bytes(3)?;
        let high = fields.u16()?;
        let capabilities = u32::from(low) | u32::from(high) << 16;
        let length = usize::from(fields.u8()?);
        let _reserved = fields.bytes(10)?;
        if capabilities & SECURE_CONNECTION != 0 {
            nonce.extend_from_slice(fields.bytes(length.saturating_sub(8).max(13))?);
            // The nonce has 20 bytes, and a zero behind them.
            nonce.truncate(20);
        }
        let plugin = if capabilities & PLUGIN_AUTH != 0 { fields.until_zero() } else { b"mysql_native_password" };
        Ok(Greeting { capabilities, nonce, plugin: String::from_utf8_lossy(plugin).into_owned() })
    }
}

/// Connects and logs in.
pub(super) async fn login(login: &Login<'_>) -> Result<Admitted, Fault> {
    let place = match login.socket {
        Some(path) => Place::Local(path.into()),
        None => Place::Tcp(login.host.into(), login.port),
    };
    let mut packets = Packets::new(place.connect().await?);
    let greeting = Greeting::read(&packets.payload().await?)?;
    if greeting.capabilities & PROTOCOL_41 == 0 || greeting.capabilities & SECURE_CONNECTION == 0 {
        return Err(Fault::protocol("the server is too old for the protocol of MySQL 4.1"));
    }
    let mut capabilities = WANTED & greeting.capabilities | LONG_PASSWORD;
    if login.database.is_some() {
        capabilities |= CONNECT_WITH_DB;
    }
    let offered = greeting.capabilities & SSL != 0;
    let encrypted = match login.tls.mode {
        TlsMode::Disabled => false,
        TlsMode::Preferred => offered,
        TlsMode::Required | TlsMode::VerifyCa | TlsMode::VerifyIdentity if !offered => {
            return Err(Fault::tls("the server does not offer TLS"));
        }
        TlsMode::Required | TlsMode::VerifyCa | TlsMode::VerifyIdentity => true,
    };
    if encrypted {
        capabilities |= SSL;
        packets.send(&opening(capabilities)).await?;
        let (socket, sequence) = packets.into_socket()?;
        packets = Packets::resume(encrypt(socket, login.tls, login.host).await?, sequence);
    }
    let mut method = Method::of(&greeting.plugin);
    let mut nonce = greeting.nonce;
    // Nobody can listen on a local socket; the server itself takes it for secure and expects the password as it is.
    let secure = encrypted || place.is_local();
    // A method that we have not may still be exchanged for one that we have.
    let first = method.map_or(Ok(Vec::new()), |method| method.answer(login.password, &nonce, secure))?;
    packets.send(&response(capabilities, login, &first, method)).await?;
    loop {
        let packet = packets.payload().await?;
        match packet.as_slice() {
            [0x00, ..] => break,
            [0xfe, rest @ ..] => {
                let mut fields = Fields::of(rest);
                let name = String::from_utf8_lossy(fields.until_zero()).into_owned();
                let chosen = Method::of(&name).ok_or_else(|| unknown(&name))?;
                nonce = fields.rest().strip_suffix(&[0]).unwrap_or(fields.rest()).to_vec();
                packets.send(&chosen.answer(login.password, &nonce, secure)?).await?;
                method = Some(chosen);
            }
            [0x01, more @ ..] => match (method, more) {
                // The server knew the password from an earlier login; its OK follows.
                (Some(Method::CachingSha2), [0x03]) => {}
                (Some(Method::CachingSha2), [0x04]) if secure => packets.send(&clear(login.password)).await?,
                (Some(Method::CachingSha2), [0x04]) => packets.send(&[0x02]).await?,
                (Some(Method::CachingSha2 | Method::Sha256), key) => {
                    packets.send(&sealed(login.password, &nonce, key)?).await?;
                }
                _ => return Err(Fault::protocol("the server asks for more than its method of authentication needs")),
            },
            _ => return Err(Fault::protocol("the server's answer to the login is none")),
        }
    }
    Ok(Admitted { packets, deprecate_eof: capabilities & DEPRECATE_EOF != 0 })
}

/// What a request for encryption and the response to the handshake begin with.
fn opening(capabilities: u32) -> Vec<u8> {
    let mut packet = Vec::with_capacity(128);
    packet.extend_from_slice(&capabilities.to_le_bytes());
    packet.extend_from_slice(&MOST_BYTES.to_le_bytes());
    packet.push(CHARSET);
    packet.extend_from_slice(&[0; 23]);
    packet
}

fn response(capabilities: u32, login: &Login<'_>, answer: &[u8], method: Option<Method>) -> Vec<u8> {
    let mut packet = opening(capabilities);
    let zeroed = |text: &str, packet: &mut Vec<u8>| {
        packet.extend_from_slice(text.as_bytes());
        packet.push(0);
    };
    zeroed(login.user, &mut packet);
    // Without PLUGIN_AUTH_LENENC the length is one byte; answers are shorter than 251 bytes, for which both are the same, but for a
    // password that is sent as it is.
    put_string(answer, &mut packet);
    if let Some(database) = login.database {
        zeroed(database, &mut packet);
    }
    if capabilities & PLUGIN_AUTH != 0 {
        zeroed(method.unwrap_or(Method::Native).name(), &mut packet);
    }
    packet
}

/// How a password is shown. Others are refused: `mysql_clear_password` would send it to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Native,
    CachingSha2,
    Sha256,
}

impl Method {
    fn of(plugin: &str) -> Option<Self> {
        [Method::Native, Method::CachingSha2, Method::Sha256].into_iter().find(|method| method.name() == plugin)
    }

    fn name(self) -> &'static str {
        match self {
            Method::Native => "mysql_native_password",
            Method::CachingSha2 => "caching_sha2_password",
            Method::Sha256 => "sha256_password",
        }
    }

    /// What shows the password at first.
    fn answer(self, password: &str, nonce: &[u8], secure: bool) -> Result<Vec<u8>, Fault> {
        Ok(match self {
            // The server takes nothing for an empty password.
            Method::Native | Method::CachingSha2 if password.is_empty() => Vec::new(),
            Method::Native => {
                // SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))): "Native Authentication".
                let once = Sha1::digest(password);
                let mixed = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
                xor(&once, &mixed)?
            }
            Method::CachingSha2 => {
                // SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce): "Caching_sha2_password information".
                let once = Sha256::digest(password);
                let mixed = Sha256::new().chain_update(Sha256::digest(Sha256::digest(password))).chain_update(nonce).finalize();
                xor(&once, &mixed)?
            }
            Method::Sha256 if secure || password.is_empty() => clear(password),
            // Asks for the server's public key.
            Method::Sha256 => vec![0x01],
        })
    }
}

fn unknown(name: &str) -> Fault {
    Fault::Config(format!(
        "the server asks for the authentication method `{name}`; the ones that can be used are mysql_native_password, \
         caching_sha2_password and sha256_password"
    ))
}

/// The password as it is, for a way on which nobody listens.
fn clear(password: &str) -> Vec<u8> {
    let mut bytes = password.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// The password for the server's public key alone; `key` is PEM.
fn sealed(password: &str, nonce: &[u8], key: &[u8]) -> Result<Vec<u8>, Fault> {
    let wrong = |error: String| Fault::protocol(format!("the server's public key cannot be used: {error}"));
    let key = std::str::from_utf8(key).map_err(|error| wrong(error.to_string()))?;
    let key = RsaPublicKey::from_public_key_pem(key).map_err(|error| wrong(error.to_string()))?;
    let mixed = xor(&clear(password), nonce)?;
    key.encrypt(&mut rand::rng(), Oaep::<Sha1>::new(), &mixed).map_err(|error| wrong(error.to_string()))
}

/// XOR with `with`, over and over.
fn xor(bytes: &[u8], with: &[u8]) -> Result<Vec<u8>, Fault> {
    if with.is_empty() {
        return Err(Fault::protocol("the server sent no random bytes to hide the password with"));
    }
    Ok(bytes.iter().zip(with.iter().cycle()).map(|(one, two)| one ^ two).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MySQL 8.0.18's own.
    const GREETING: &[u8] = b"\n8.0.18\x00\x19\x00\x00\x00\x114aB0c\x06g\x00\xff\xff\xff\x02\x00\xff\xc7\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00tL\x03s\x0f[4\rl4. \x00caching_sha2_password\x00";

    #[test]
    fn a_greeting_has_a_nonce_of_twenty_bytes() {
        let greeting = Greeting::read(GREETING).unwrap();
        assert_eq!(greeting.nonce, b"\x114aB0c\x06gtL\x03s\x0f[4\rl4. ");
        assert_eq!(greeting.plugin, "caching_sha2_password");
        assert_eq!(greeting.capabilities & (SSL | DEPRECATE_EOF | PLUGIN_AUTH_LENENC), SSL | DEPRECATE_EOF | PLUGIN_AUTH_LENENC);
        for end in 0..GREETING.len() - 22 {
            assert!(Greeting::read(&GREETING[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn the_server_can_undo_the_answers() {
        // The server knows the hash of the hash, and gets the hash back from the answer.
        let nonce = b"01234567890123456789";
        let answer = Method::CachingSha2.answer("secret", nonce, false).unwrap();
        let stored = Sha256::digest(Sha256::digest("secret"));
        let mixed = Sha256::new().chain_update(stored).chain_update(nonce).finalize();
        assert_eq!(Sha256::digest(xor(&answer, &mixed).unwrap()), stored);
        let answer = Method::Native.answer("secret", nonce, false).unwrap();
        let stored = Sha1::digest(Sha1::digest("secret"));
        let mixed = Sha1::new().chain_update(nonce).chain_update(stored).finalize();
        assert_eq!(Sha1::digest(xor(&answer, &mixed).unwrap()), stored);
        assert!(Method::Native.answer("", nonce, false).unwrap().is_empty());
        assert!(Method::CachingSha2.answer("secret", b"", false).is_err());
    }
}
