//! Text, labels and JSON: the UTF-8 bytes as they are.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder};
use arrow::buffer::{Buffer, OffsetBuffer};
use bytes::Bytes;

use super::{hashes, unfit};
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;

/// To text.
pub(super) struct Text(pub(super) StringBuilder, Form);

/// What a field is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The text.
    Plain,
    /// A version byte and the text, which is the binary form of `jsonb`.
    Versioned,
    /// The bytes of an address.
    Address,
}

impl Text {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        use LogicalType as L;
        let textual = matches!(pg_type, PgType::Text | PgType::Bpchar | PgType::Name);
        let json = matches!(pg_type, PgType::Json | PgType::Jsonb);
        let fits = match logical {
            L::Text { .. } => textual || json || matches!(pg_type, PgType::Enum(_) | PgType::Inet),
            L::Enum { .. } => textual || matches!(pg_type, PgType::Enum(_)),
            L::Json => textual || json,
            L::Numeric => textual,
            _ => false,
        };
        let form = match pg_type {
            PgType::Jsonb => Form::Versioned,
            PgType::Inet => Form::Address,
            _ => Form::Plain,
        };
        fits.then(|| Text(StringBuilder::new(), form))
    }

    /// How its fields are hashed where they lie; `logical` is what it was chosen for.
    pub(super) fn form(&self, logical: &LogicalType) -> hashes::Form {
        match (&self.1, logical) {
            (Form::Plain, LogicalType::Text { .. } | LogicalType::Enum { .. }) => hashes::Form::Text,
            (Form::Versioned, LogicalType::Text { .. } | LogicalType::Enum { .. }) => hashes::Form::VersionedText,
            (Form::Plain, LogicalType::Json) => hashes::Form::Json(false),
            (Form::Versioned, LogicalType::Json) => hashes::Form::Json(true),
            _ => hashes::Form::Decoded,
        }
    }

    /// One field as a whole array, which shares its bytes.
    pub(super) fn whole(&self, mut field: Bytes) -> Result<ArrayRef> {
        match (&self.1, field.first()) {
            (Form::Plain, _) => {}
            (Form::Versioned, Some(1)) => field = field.slice(1..),
            (Form::Versioned, _) => return Err(unfit("the target sent a `jsonb` of an unknown version")),
            // None has so many bytes.
            (Form::Address, _) => return Err(unfit("the target sent an address of an unknown form")),
        }
        let offsets = OffsetBuffer::from_lengths([field.len()]);
        let array = StringArray::try_new(offsets, Buffer::from(field), None);
        Ok(Arc::new(array.map_err(|error| unfit("the target sent text that is not UTF-8").with_source(error))?))
    }

    #[inline]
    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        let Some(mut bytes) = field else {
            self.0.append_null();
            return Ok(());
        };
        if self.1 == Form::Address {
            let text = address(bytes).ok_or_else(|| unfit("the target sent an address of an unknown form"))?;
            self.0.append_value(text);
            return Ok(());
        }
        if self.1 == Form::Versioned {
            bytes = unversioned(bytes)?;
        }
        self.0.append_value(utf8(bytes)?);
        Ok(())
    }
}

/// What stands behind the version of a `jsonb`.
pub(super) fn unversioned(field: &[u8]) -> Result<&[u8]> {
    match field {
        [1, text @ ..] => Ok(text),
        _ => Err(unfit("the target sent a `jsonb` of an unknown version")),
    }
}

#[inline]
pub(super) fn utf8(field: &[u8]) -> Result<&str> {
    std::str::from_utf8(field).map_err(|error| unfit("the target sent text that is not UTF-8").with_source(error))
}

/// An address, with the bits of its network where it has one.
fn address(bytes: &[u8]) -> Option<String> {
    let [family, bits, _, _, rest @ ..] = bytes else { return None };
    let (address, most) = match family {
        2 => (IpAddr::from(<[u8; 4]>::try_from(rest).ok()?), 32),
        3 => (IpAddr::from(<[u8; 16]>::try_from(rest).ok()?), 128),
        _ => return None,
    };
    Some(if *bits == most { address.to_string() } else { format!("{address}/{bits}") })
}
