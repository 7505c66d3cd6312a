//! Where a password comes from when the address has none: a command, a file, or what the databases' own tools read.
//!
//! Asked anew at each connect: the tokens of cloud services live for minutes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::endpoint::{Endpoint, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::model::EngineKind;

/// Longest wait for a password command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a password comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// From the address; or, if it has none, from `~/.pgpass` or `~/.my.cnf`.
    #[default]
    Address,
    /// The first line that a command prints; it runs by `sh -c`.
    Command(String),
    /// The first line of a file.
    File(PathBuf),
}

/// User and password to log in with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user, if there is one.
    pub user: Option<String>,
    /// The password, if there is one.
    pub password: Option<Secret>,
}

/// Finds out user and password for an address.
///
/// The address's own password wins. `~/.pgpass` (`PGPASSFILE`) is read as libpq does ("The Password File" in PostgreSQL's manual), `~/.my.cnf` as far as
/// `user` and `password` under `[client]` go ("Using Option Files" in MySQL's manual).
///
/// # Errors
/// `Config` when the command fails or the file cannot be read; neither's output is repeated.
pub async fn credentials(at: &Endpoint) -> Result<Credentials> {
    let own = Credentials { user: at.user.clone(), password: at.password.clone() };
    match &at.login {
        Login::Command(command) => Ok(Credentials { password: Some(from_command(at, command).await?), ..own }),
        Login::File(path) => Ok(Credentials { password: Some(from_file(at, path)?), ..own }),
        Login::Address if own.password.is_some() => Ok(own),
        Login::Address => Ok(match at.engine {
            EngineKind::Postgres => {
                from_pgpass(at).map_or(own.clone(), |password| Credentials { password: Some(password), ..own })
            }
            EngineKind::MySql => from_my_cnf(own),
            EngineKind::Sqlite | EngineKind::Parquet => own,
        }),
    }
}

/// Logs in; where a command gives the password, once more if it is refused: a token may have expired between the command and the login.
///
/// # Errors
/// Those of `login`.
pub async fn again_if_refused<T, F: Future<Output = Result<T>>>(at: &Endpoint, login: impl Fn() -> F) -> Result<T> {
    match login().await {
        Err(error) if error.kind() == ErrorKind::LoginRefused && matches!(at.login, Login::Command(_)) => login().await,
        result => result,
    }
}

async fn from_command(at: &Endpoint, command: &str) -> Result<Secret> {
    let failed = |what: String| {
        Error::new(ErrorKind::Config, format!("the password command for {at} {what}"))
            .hint("Try it by hand: it must print the password on its first line and end with 0")
    };
    let running = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND_TIMEOUT, running)
        .await
        .map_err(|_| failed(format!("did not end within {} seconds", COMMAND_TIMEOUT.as_secs())))?
        .map_err(|error| failed("could not be started".into()).with_source(error))?;
    if !output.status.success() {
        return Err(failed(format!("failed: {}", output.status)));
    }
    first_line(&output.stdout).ok_or_else(|| failed("printed no password".into()))
}

fn from_file(at: &Endpoint, path: &Path) -> Result<Secret> {
    let failed = |what: &str| Error::new(ErrorKind::Config, format!("the password file for {at} {what}")).file(path.display());
    let bytes = std::fs::read(path).map_err(|error| failed("cannot be read").with_source(error))?;
    first_line(&bytes).ok_or_else(|| failed("is empty"))
}

fn first_line(bytes: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().next().filter(|line| !line.is_empty()).map(Secret::new)
}

fn home(file: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join(file))
}

/// A file that others may read is no place for a password: libpq and the MySQL client leave such a file aside, too.
fn private_text(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if std::fs::metadata(path).ok()?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "not read, since others may read it: chmod 600");
            return None;
        }
    }
    Some(text)
}

fn from_pgpass(at: &Endpoint) -> Option<Secret> {
    let path = std::env::var_os("PGPASSFILE").map(PathBuf::from).or_else(|| home(".pgpass"))?;
    in_pgpass(&private_text(&path)?, at)
}

/// The password of the first line that fits: `host:port:database:user:password`, `*` fits all, `\` takes the next sign as it is.
fn in_pgpass(text: &str, at: &Endpoint) -> Option<Secret> {
    let port = at.port.unwrap_or(5432).to_string();
    let wanted = [at.host.as_str(), &port, &at.database, at.user.as_deref().unwrap_or_default()];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = vec![String::new()];
        let mut signs = line.chars();
        while let Some(sign) = signs.next() {
            match (sign, fields.len()) {
                ('\\', _) => fields.last_mut()?.extend(signs.next()),
                (':', 1..=4) => fields.push(String::new()),
                _ => fields.last_mut()?.push(sign),
            }
        }
        let password = fields.get(4)?;
        let fits = fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        fits.then(|| Secret::new(password.as_str()))
    })
}

fn from_my_cnf(own: Credentials) -> Credentials {
    match home(".my.cnf").and_then(|path| private_text(&path)) {
        Some(text) => in_my_cnf(&text, own),
        None => own,
    }
}

/// `user` and `password` under `[client]`; a password in the file belongs to its user.
fn in_my_cnf(text: &str, own: Credentials) -> Credentials {
    let (mut section, mut user, mut password) = (String::new(), None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.trim().to_string();
        } else if section == "client"
            && let Some((name, value)) = line.split_once('=')
        {
            let value = value.trim();
            let value = value.strip_prefix(['"', '\'']).and_then(|value| value.strip_suffix(['"', '\''])).unwrap_or(value);
            match name.trim() {
                "user" => user = Some(value.to_string()),
                "password" => password = Some(Secret::new(value)),
                _ => {}
            }
        }
    }
    if own.user.is_some() && user.is_some() && own.user != user {
        return own;
    }
    Credentials { user: own.user.or(user), password }
}

/// True for an address that does not leave this machine: the loopback network, or the folder of a socket.
pub fn is_local(host: &str) -> bool {
    host.is_empty()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Endpoint {
        Endpoint::parse(url).expect("an address")
    }

    fn exposed(secret: Option<Secret>) -> Option<String> {
        secret.map(|secret| secret.expose().to_string())
    }

    #[test]
    fn the_first_line_of_a_pgpass_that_fits_has_the_password() {
        let text = "# mine\nother:5432:*:me:no\ndb1:*:shop:me:a\\:b\\\\c:d\n*:*:*:*:last\n";
        assert_eq!(exposed(in_pgpass(text, &at("postgres://me@db1/shop"))), Some("a:b\\c:d".into()));
        assert_eq!(exposed(in_pgpass(text, &at("postgres://you@db1/shop"))), Some("last".into()));
        assert_eq!(exposed(in_pgpass("db1:5433:shop:me:x", &at("postgres://me@db1/shop"))), None);
        assert_eq!(exposed(in_pgpass("broken", &at("postgres://me@db1/shop"))), None);
    }

    #[test]
    fn a_my_cnf_gives_user_and_password_to_who_has_none() {
        let text = "[mysqld]\npassword=no\n[client]\nuser = reader\npassword = \"p w\"\n[mysql]\npassword=no\n";
        let found = in_my_cnf(text, Credentials::default());
        assert_eq!((found.user.as_deref(), exposed(found.password)), (Some("reader"), Some("p w".into())));
        let other = in_my_cnf(text, Credentials { user: Some("root".into()), password: None });
        assert_eq!((other.user.as_deref(), exposed(other.password)), (Some("root"), None));
    }

    #[test]
    fn only_this_machine_is_local() {
        assert!(["localhost", "127.0.0.1", "127.9.9.9", "::1", "/run/postgresql", ""].iter().all(|host| is_local(host)));
        assert!(!["db1", "10.0.0.1", "localhost.example.org", "192.168.0.1", "::2"].iter().any(|host| is_local(host)));
    }

    #[tokio::test]
    async fn a_command_prints_the_password_and_its_failure_is_told_without_it() {
        let with = |login| Endpoint { login, ..at("mysql://reader:wrong@db1/shop") };
        let found = credentials(&with(Login::Command("printf 'tok en\\nmore'".into()))).await.expect("a password");
        assert_eq!(exposed(found.password), Some("tok en".into()));
        let failed = credentials(&with(Login::Command("echo secret; exit 3".into()))).await.expect_err("it fails");
        assert_eq!(failed.kind(), ErrorKind::Config);
        assert!(!failed.to_string().contains("secret"), "{failed}");
        assert!(credentials(&with(Login::Command("true".into()))).await.is_err());
        assert!(credentials(&with(Login::File("/no/such/file".into()))).await.is_err());
    }
}
