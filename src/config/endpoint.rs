//! A source or a target, as a URL. The password is masked wherever an endpoint is printed.

use std::collections::BTreeMap;
use std::fmt;

use super::login::Login;
use crate::error::{Error, ErrorKind, Result};
use crate::model::EngineKind;

/// A text that is never printed. Deliberately without `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself: for a driver's login, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// Where a database is and how to log in.
///
/// | URL | `database` |
/// |---|---|
/// | `mysql://user:password@host:3306/shop`, `mariadb://…` | `shop` |
/// | `postgres://user:password@host:5432/shop`, `postgresql://…` | `shop` |
/// | `sqlite://shop.db`, `sqlite:///srv/shop.db` | the path |
/// | `parquet://out/shop`, `parquet:///srv/shop` | the path |
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The engine.
    pub engine: EngineKind,
    /// Host, or empty for files.
    pub host: String,
    /// Port, or the engine's usual one.
    pub port: Option<u16>,
    /// User, or none.
    pub user: Option<String>,
    /// Password, or none.
    pub password: Option<Secret>,
    /// Database, or the path of a file or folder.
    pub database: String,
    /// What stands behind the `?`, decoded.
    pub params: BTreeMap<String, String>,
    /// Where the password comes from.
    pub login: Login,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// `Config`; the text never repeats the password.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |what: String| Error::new(ErrorKind::Config, what);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(bad("the address has no scheme".into()).hint(
                "Write a URL such as `mysql://user@host/database`, `postgres://…`, `sqlite://file` or `parquet://folder`",
            ));
        };
        let engine = match scheme {
            "mysql" | "mariadb" => EngineKind::MySql,
            "postgres" | "postgresql" => EngineKind::Postgres,
            "sqlite" => EngineKind::Sqlite,
            "parquet" => EngineKind::Parquet,
            other => {
                return Err(bad(format!("`{other}://` is no known engine"))
                    .hint("The engines are mysql, mariadb, postgres, sqlite and parquet"));
            }
        };
        if matches!(engine, EngineKind::Sqlite | EngineKind::Parquet) {
            if rest.is_empty() {
                return Err(bad(format!("`{scheme}://` names no path")));
            }
            return Ok(Endpoint {
                engine,
                host: String::new(),
                port: None,
                user: None,
                password: None,
                database: rest.to_string(),
                params: BTreeMap::new(),
                login: Login::default(),
            });
        }
        let url = url::Url::parse(text).map_err(|error| {
            bad(format!("the `{scheme}://` address cannot be read")).with_source(error).hint(
                "Characters such as `@`, `/`, `#`, `?` and `%` in a user or password are written as %40, %2F, %23, %3F and %25",
            )
        })?;
        let decode =
            |part: &str| percent_decode(part).ok_or_else(|| bad(format!("the `{scheme}://` address has a broken %-sequence")));
        let database = decode(url.path().trim_start_matches('/'))?;
        if database.is_empty() {
            return Err(bad(format!("the `{scheme}://` address names no database"))
                .hint(format!("Write `{scheme}://user@host/database`")));
        }
        Ok(Endpoint {
            engine,
            host: url.host_str().unwrap_or("localhost").trim_matches(['[', ']']).to_string(),
            port: url.port(),
            user: if url.username().is_empty() { None } else { Some(decode(url.username())?) },
            password: url.password().map(decode).transpose()?.map(Secret::new),
            database,
            params: url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
            login: Login::default(),
        })
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Masked, as Display has it, with the names of the parameters: some hold secrets.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self}, {:?})", self.params.keys())
    }
}

/// Masked: user, host and database, never the password nor the parameters.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.engine.name())?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if self.password.is_some() {
                f.write_str(":****")?;
            }
            f.write_str("@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if !self.host.is_empty() {
            f.write_str("/")?;
        }
        f.write_str(&self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_decoded_for_the_driver_and_masked_for_people() {
        let endpoint = Endpoint::parse("mysql://reader:p%40ss%2F@db1:3307/shop").unwrap();
        assert_eq!(endpoint.password.as_ref().map(Secret::expose), Some("p@ss/"));
        assert_eq!(endpoint.to_string(), "mysql://reader:****@db1:3307/shop");
        assert!(!format!("{endpoint:?}").contains("p@ss"));
    }

    #[test]
    fn paths_are_taken_as_they_are() {
        assert_eq!(Endpoint::parse("sqlite:///srv/a b%20.db").unwrap().database, "/srv/a b%20.db");
        assert_eq!(Endpoint::parse("parquet://out").unwrap().database, "out");
    }

    #[test]
    fn an_address_without_a_database_is_refused() {
        assert!(Endpoint::parse("postgres://me@host").is_err());
        assert!(Endpoint::parse("oracle://x/y").is_err());
    }
}
