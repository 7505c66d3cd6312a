//! The only place that prints. Data goes to stdout, everything else to stderr; secrets go nowhere.
//!
//! A reader that goes away (`dbferry plan … | head`) is no error: what is written after that is dropped.

use std::io::{self, IsTerminal, Write};

use crate::config::Settings;
use crate::config::endpoint::{Endpoint, Secret};
use crate::config::environment::percent_encode;
use crate::error::Error;

/// What stands where a secret was.
const MASK: &str = "****";
/// Shorter secrets are not looked for in texts: masking each `a` would leave nothing to read, and would tell the secret.
const SHORTEST_SECRET_BYTES: usize = 4;

/// Prints data, notes and errors.
#[derive(Default)]
pub struct Printer {
    quiet: bool,
    verbose: u8,
    color: bool,
    secrets: Vec<String>,
}

/// Without the secrets.
impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("quiet", &self.quiet).field("verbose", &self.verbose).finish_non_exhaustive()
    }
}

impl Printer {
    /// A printer for this process. Errors are coloured on a terminal, unless `NO_COLOR` is set and not empty.
    pub fn new(quiet: bool, verbose: u8) -> Self {
        Printer { quiet, verbose, color: io::stderr().is_terminal() && !no_color(), secrets: Vec::new() }
    }

    /// From now on, masks what the settings have of secrets: those of both endpoints, and the key of masks.
    pub fn keep_secrets_of(&mut self, settings: &Settings) {
        self.keep_secret(&settings.source);
        self.keep_secret(&settings.target);
        self.keep_text(settings.mapping.masking.key.as_ref());
    }

    /// From now on, masks the endpoint's password, and the values of its parameters that may be secrets, in all that is printed
    /// to stderr: the texts of drivers may repeat them.
    pub fn keep_secret(&mut self, endpoint: &Endpoint) {
        let parameters = endpoint.params.iter().filter(|(name, _)| may_be_secret(name)).map(|(_, value)| value.as_str());
        for secret in endpoint.password.iter().map(|secret| secret.expose()).chain(parameters) {
            self.secrets.push(secret.to_string());
            self.secrets.push(percent_encode(secret));
        }
    }

    /// From now on, masks this text too.
    pub fn keep_text(&mut self, secret: Option<&Secret>) {
        self.secrets.extend(secret.map(|secret| secret.expose().to_string()));
    }

    /// True under `--quiet`.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// How often `-v` was given.
    pub fn verbosity(&self) -> u8 {
        self.verbose
    }

    /// For data.
    pub fn stdout(&self) -> impl Write + use<> {
        Forgiving(io::stdout().lock())
    }

    /// For everything else. What goes this way is not cleaned of secrets.
    pub fn stderr(&self) -> impl Write + use<> {
        Forgiving(io::stderr().lock())
    }

    /// Prints data to stdout, with a line end if it has none, also under `--quiet`.
    ///
    /// # Errors
    /// `Io` or `DiskFull`, when what was asked for could not be written.
    pub fn data(&self, text: &str) -> crate::Result<()> {
        let mut out = self.stdout();
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }

    /// Prints a line to stderr, but not under `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.to_stderr(&format!("{}\n", redact(text, &self.secrets())));
        }
    }

    /// Prints a line to stderr under `-v`.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.note(text);
        }
    }

    /// Prints an error to stderr, and all others of [`Error::also`], each with its hint.
    pub fn error(&self, error: &Error) {
        self.to_stderr(&error_text(error, self.color, &self.secrets()));
    }

    /// Prints what clap has to say (help and version to stdout, usage errors to stderr) and gives the exit code: 0 or 2.
    pub fn usage(&self, error: &clap::Error) -> u8 {
        let rendered = error.render();
        let out_of_order = error.use_stderr();
        let colored = if out_of_order { self.color } else { io::stdout().is_terminal() && !no_color() };
        let text = if colored { rendered.ansi().to_string() } else { rendered.to_string() };
        if out_of_order {
            self.to_stderr(&mask(&text, &self.secrets()));
        } else {
            // Help that cannot be written has nobody who could be told.
            let _ = self.stdout().write_all(text.as_bytes());
        }
        u8::try_from(error.exit_code()).unwrap_or(2)
    }

    fn secrets(&self) -> Vec<&str> {
        self.secrets.iter().map(String::as_str).collect()
    }

    fn to_stderr(&self, text: &str) {
        // When stderr is gone there is nobody left to tell.
        let _ = self.stderr().write_all(text.as_bytes());
    }
}

/// An error for people: `error: …`, then `hint: …`, for it and for each of [`Error::also`]. A hint that the next error repeats is
/// printed once, after the last.
pub fn error_text(error: &Error, color: bool, secrets: &[&str]) -> String {
    let (red, bold, plain) = if color { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let all: Vec<&Error> = std::iter::once(error).chain(error.also()).collect();
    let mut text = String::new();
    for (index, error) in all.iter().enumerate() {
        text.push_str(&format!("{red}error:{plain} {}\n", redact(&error.to_string(), secrets)));
        let hint = error.hint_text();
        let next = all.get(index + 1).and_then(|next| next.hint_text());
        if let Some(hint) = hint.filter(|hint| next != Some(*hint)) {
            text.push_str(&format!("{bold}hint:{plain} {}\n", redact(hint, secrets)));
        }
    }
    text
}

/// A text without secrets: each of `secrets`, and the password of anything that looks like an address, is masked. Control
/// characters other than line ends and tabs are escaped, since names and drivers' texts may hold sequences that change a terminal.
pub fn redact(text: &str, secrets: &[&str]) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in mask(text, secrets).chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    clean
}

/// Masks secrets and the passwords of addresses.
fn mask(text: &str, secrets: &[&str]) -> String {
    let mut clean = mask_addresses(text);
    let mut secrets: Vec<&str> = secrets.iter().copied().filter(|secret| secret.len() >= SHORTEST_SECRET_BYTES).collect();
    // The longest first: one secret may be part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        clean = clean.replace(secret, MASK);
    }
    clean
}

/// Masks the password in each `scheme://user:password@host` of a text.
fn mask_addresses(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        masked.push_str(before);
        masked.push_str("://");
        let end = after.find(|character: char| character.is_whitespace() || "'\"`".contains(character)).unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        // The last @ and the first colon, so that a password that should have been encoded is masked as well.
        match address.rsplit_once('@').map(|(login, host)| (login.split_once(':'), host)) {
            Some((Some((user, _)), host)) => {
                masked.push_str(&format!("{user}:{MASK}@{host}"));
            }
            _ => masked.push_str(address),
        }
        rest = tail;
    }
    masked.push_str(rest);
    masked
}

/// True if a person asked for no colours (<https://no-color.org>).
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// True for parameters of an address whose value is better not shown.
fn may_be_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["pass", "pwd", "secret", "token"].iter().any(|part| name.contains(part))
}

/// Drops what is written to a reader that went away.
struct Forgiving<W>(W);

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn fault(what: &str) -> Error {
        Error::new(ErrorKind::Config, what)
    }

    #[test]
    fn every_error_is_printed_with_its_hint_and_a_common_hint_once() {
        let errors = vec![
            fault("one").hint("do this"),
            fault("two").hint("do this"),
            fault("three").file("a.toml:1:2"),
            fault("four").hint("and that"),
        ];
        let text = error_text(&Error::many(errors).unwrap(), false, &[]);
        assert_eq!(text, "error: one\nerror: two\nhint: do this\nerror: a.toml:1:2: three\nerror: four\nhint: and that\n");
        assert_eq!(error_text(&fault("x").hint("y"), true, &[]), "\x1b[1;31merror:\x1b[0m x\n\x1b[1mhint:\x1b[0m y\n");
    }

    #[test]
    fn secrets_are_masked_in_any_text() {
        for (text, clean) in [
            ("cannot open mysql://u:p@ss/w@h:3306/d here", "cannot open mysql://u:****@h:3306/d here"),
            ("'postgres://u:x@h' and \"mysql://a:b@c/d\"", "'postgres://u:****@h' and \"mysql://a:****@c/d\""),
            ("mysql://u@h:3306/d sqlite://a@b", "mysql://u@h:3306/d sqlite://a@b"),
            ("access denied using hunter2", "access denied using ****"),
            ("a ://", "a ://"),
            ("\x1b[2Jtable\r\n", "\\u{1b}[2Jtable\\r\n"),
        ] {
            assert_eq!(redact(text, &["hunter", "hunter2", "a"]), clean);
        }
    }

    #[test]
    fn an_endpoint_s_secrets_are_masked_plain_and_encoded() {
        let mut printer = Printer::default();
        printer.keep_secret(&Endpoint::parse("mysql://u:p%40ssword@h/d?sslpassword=hidden&ssl-mode=require").unwrap());
        assert_eq!(redact("p@ssword p%40ssword hidden require", &printer.secrets()), "**** **** **** require");
        assert!(!format!("{printer:?}").contains("hidden"));
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut writer = Forgiving(Gone);
        assert!(writer.write_all(b"text").and_then(|()| writer.flush()).is_ok());
    }
}
