//! A session: statements with small answers as text, and prepared statements whose rows come in the binary protocol.
//! See "Command Phase".

use super::fault::Fault;
use super::fields::{Fields, put_string};
use super::login::{self, Admitted, Login};
use super::packets::Packets;
use super::rows::{Kind, Rows, Span};

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_CLOSE: u8 = 0x19;

/// Another result follows: SERVER_MORE_RESULTS_EXISTS of "Status Flags". We never ask for two.
const MORE_RESULTS: u16 = 8;

/// Payloads from here on are no end of a result, whatever they begin with.
const LONGEST_END: usize = 0xff_ffff;

/// Prepared statements that a session keeps: the first, inner and last range of a few tables.
const STATEMENTS_KEPT: usize = 16;

/// A value that is bound to a `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Bound {
    Int(i64),
    UInt(u64),
    /// In the session's character set.
    Text(String),
    Bytes(Vec<u8>),
}

/// One field of a small answer; none for NULL.
pub(in crate::engine::mysql) type Field = Option<Vec<u8>>;

/// A connection that is logged in.
pub(in crate::engine::mysql) struct Session {
    pub(super) packets: Packets,
    deprecate_eof: bool,
    /// Warnings of the last result that was read to its end.
    warnings: u16,
    /// What is prepared, the oldest first.
    prepared: Vec<(String, u32)>,
    /// Where the values of the rows in the buffer stand; kept, so that no result allocates it anew.
    pub(super) spans: Vec<Span>,
    /// A row that came in several packets.
    pub(super) joined: Vec<u8>,
}

impl Session {
    /// Connects and logs in.
    ///
    /// # Errors
    /// What the network or the server says.
    pub(in crate::engine::mysql) async fn open(login: &Login<'_>) -> Result<Self, Fault> {
        let Admitted { packets, deprecate_eof } = login::login(login).await?;
        Ok(Session { packets, deprecate_eof, warnings: 0, prepared: Vec::new(), spans: Vec::new(), joined: Vec::new() })
    }

    /// Gives back the memory of wide rows: between two results, since the next one may be long in coming.
    pub(in crate::engine::mysql) fn shrink(&mut self) {
        self.joined = Vec::new();
        self.packets.shrink();
    }

    /// How many warnings the server has for the last result that was read to its end.
    pub(in crate::engine::mysql) fn warnings(&self) -> u16 {
        self.warnings
    }

    /// Runs a statement; rows that it gives are passed over.
    pub(in crate::engine::mysql) async fn execute(&mut self, sql: &str) -> Result<(), Fault> {
        self.query(sql).await.map(drop)
    }

    /// Runs a statement and returns its rows, all values as text; for small answers.
    pub(in crate::engine::mysql) async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Field>>, Fault> {
        self.command(COM_QUERY, sql.as_bytes()).await?;
        let Some(kinds) = self.columns().await? else { return Ok(Vec::new()) };
        let mut rows = Vec::new();
        loop {
            let packet = self.packets.payload().await?;
            if self.is_end(&packet)? {
                return Ok(rows);
            }
            let mut fields = Fields::of(&packet);
            let row: Result<Vec<Field>, Fault> = kinds.iter().map(|_| Ok(fields.string()?.map(<[u8]>::to_vec))).collect();
            rows.push(row?);
        }
    }

    /// Runs a statement and returns its rows in the forms of the binary protocol; for small answers.
    pub(in crate::engine::mysql) async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Field>>, Fault> {
        let mut rows = self.rows(sql, &[]).await?;
        let mut all = Vec::new();
        while let Some(block) = rows.next().await? {
            for row in 0..block.rows() {
                let field = |at: usize| block.value(row, at).flatten().map(<[u8]>::to_vec);
                all.push((0..block.width()).map(field).collect());
            }
        }
        Ok(all)
    }

    /// Prepares a statement, unless it is, and runs it with `bounds` for its `?`; the rows come in the binary protocol.
    ///
    /// The session takes no other statement until they are read to their end.
    pub(in crate::engine::mysql) async fn rows(&mut self, sql: &str, bounds: &[Bound]) -> Result<Rows<'_>, Fault> {
        let statement = self.prepare(sql).await?;
        self.packets.command(&execution(statement, bounds)).await?;
        match self.columns().await? {
            Some(kinds) => Ok(Rows::new(self, kinds)),
            None => Err(Fault::protocol("a statement that asks for rows has no result")),
        }
    }

    /// Says goodbye. False if the server did not hear it, so that its session may live on.
    pub(in crate::engine::mysql) async fn close(self) -> bool {
        self.packets.close(&[COM_QUIT]).await
    }

    async fn command(&mut self, command: u8, body: &[u8]) -> Result<(), Fault> {
        let mut payload = Vec::with_capacity(body.len() + 1);
        payload.push(command);
        payload.extend_from_slice(body);
        self.packets.command(&payload).await
    }

    /// The number of a prepared statement. See "COM_STMT_PREPARE_OK".
    async fn prepare(&mut self, sql: &str) -> Result<u32, Fault> {
        if let Some(place) = self.prepared.iter().position(|(prepared, _)| prepared == sql) {
            let kept = self.prepared.remove(place);
            let id = kept.1;
            self.prepared.push(kept);
            return Ok(id);
        }
        if self.prepared.len() >= STATEMENTS_KEPT {
            let (_, oldest) = self.prepared.remove(0);
            // Not answered.
            self.command(COM_STMT_CLOSE, &oldest.to_le_bytes()).await?;
        }
        self.command(COM_STMT_PREPARE, sql.as_bytes()).await?;
        let packet = self.packets.payload().await?;
        let mut fields = Fields::of(&packet);
        if fields.u8()? != 0 {
            return Err(Fault::protocol("the answer to a statement that was to be prepared is none"));
        }
        let id = fields.u32()?;
        let (columns, parameters) = (fields.u16()?, fields.u16()?);
        for definitions in [parameters, columns] {
            for _ in 0..definitions {
                self.packets.payload().await?;
            }
            if definitions > 0 && !self.deprecate_eof {
                self.packets.payload().await?;
            }
        }
        self.prepared.push((sql.to_string(), id));
        Ok(id)
    }

    /// The beginning of an answer: the kinds of the columns, or none when there is no result. See "Text Resultset", "Binary Protocol
    /// Resultset" and "Column Definition".
    async fn columns(&mut self) -> Result<Option<Vec<Kind>>, Fault> {
        let packet = self.packets.payload().await?;
        if packet.first() == Some(&0) {
            self.check_status(&packet)?;
            return Ok(None);
        }
        let count = Fields::of(&packet).length()?.ok_or_else(|| Fault::protocol("the server asks for a local file"))?;
        let mut kinds = Vec::new();
        for _ in 0..count {
            let packet = self.packets.payload().await?;
            let mut fields = Fields::of(&packet);
            // Catalog, database, table twice, name twice.
            for _ in 0..6 {
                fields.string()?;
            }
            // The length of what follows, and the character set.
            fields.bytes(1 + 2)?;
            let most_bytes = fields.u32()?;
            kinds.push(Kind::of(fields.u8()?, most_bytes)?);
        }
        if !self.deprecate_eof {
            self.packets.payload().await?;
        }
        Ok(Some(kinds))
    }

    /// True for the packet that ends a result: an OK packet, or, of older servers, an EOF packet, both with 0xFE in front.
    pub(super) fn is_end(&mut self, packet: &[u8]) -> Result<bool, Fault> {
        let longest = if self.deprecate_eof { LONGEST_END } else { 9 };
        if packet.first() != Some(&0xfe) || packet.len() >= longest {
            return Ok(false);
        }
        self.check_status(packet)?;
        Ok(true)
    }

    fn check_status(&mut self, packet: &[u8]) -> Result<(), Fault> {
        let mut fields = Fields::of(packet);
        let first = fields.u8()?;
        let (status, warnings) = if first == 0xfe && !self.deprecate_eof {
            let warnings = fields.u16()?;
            (fields.u16()?, warnings)
        } else {
            // Rows changed, and the last number that was given.
            fields.length()?;
            fields.length()?;
            (fields.u16()?, fields.u16()?)
        };
        self.warnings = warnings;
        if status & MORE_RESULTS != 0 {
            return Err(Fault::protocol("one statement has two results"));
        }
        Ok(())
    }
}

/// "COM_STMT_EXECUTE", without a cursor.
fn execution(statement: u32, bounds: &[Bound]) -> Vec<u8> {
    let mut payload = vec![COM_STMT_EXECUTE];
    payload.extend_from_slice(&statement.to_le_bytes());
    payload.push(0);
    payload.extend_from_slice(&1_u32.to_le_bytes());
    if bounds.is_empty() {
        return payload;
    }
    // None of them is NULL, and their types follow.
    payload.resize(payload.len() + bounds.len().div_ceil(8), 0);
    payload.push(1);
    for bound in bounds {
        // MYSQL_TYPE_LONGLONG, VAR_STRING, BLOB; the high bit of the second byte says unsigned.
        payload.extend_from_slice(match bound {
            Bound::Int(_) => &[0x08, 0],
            Bound::UInt(_) => &[0x08, 0x80],
            Bound::Text(_) => &[0xfd, 0],
            Bound::Bytes(_) => &[0xfc, 0],
        });
    }
    for bound in bounds {
        match bound {
            Bound::Int(number) => payload.extend_from_slice(&number.to_le_bytes()),
            Bound::UInt(number) => payload.extend_from_slice(&number.to_le_bytes()),
            Bound::Text(text) => put_string(text.as_bytes(), &mut payload),
            Bound::Bytes(bytes) => put_string(bytes, &mut payload),
        }
    }
    payload
}
