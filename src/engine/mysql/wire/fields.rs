//! What is in a packet: whole numbers, little endian, and strings. See "Protocol Basics: Integer Types, String Types".

use super::fault::Fault;

/// Reads a packet from its front to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(packet: &'a [u8]) -> Self {
        Fields { rest: packet }
    }

    /// What is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or_else(short)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or_else(short)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    /// A whole number that says its own length; none for the mark of NULL.
    pub(super) fn length(&mut self) -> Result<Option<u64>, Fault> {
        Ok(Some(match self.u8()? {
            0xfb => return Ok(None),
            0xfc => self.u16()?.into(),
            0xfd => {
                let [a, b, c] = self.array()?;
                u32::from_le_bytes([a, b, c, 0]).into()
            }
            0xfe => u64::from_le_bytes(self.array()?),
            0xff => return Err(Fault::protocol("a length that begins with 0xFF")),
            small => small.into(),
        }))
    }

    /// A string with its length in front; none for NULL.
    pub(super) fn string(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        let Some(length) = self.length()? else { return Ok(None) };
        self.bytes(usize::try_from(length).map_err(|_| short())?).map(Some)
    }

    /// A string that ends with a zero byte, or with the packet.
    pub(super) fn until_zero(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let (bytes, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.get(1..).unwrap_or_default();
        bytes
    }
}

fn short() -> Fault {
    Fault::protocol("a packet ends before what it holds")
}

/// Appends a string with its length in front.
pub(super) fn put_string(bytes: &[u8], out: &mut Vec<u8>) {
    let length = bytes.len() as u64;
    let [a, b, c, ..] = length.to_le_bytes();
    match length {
        0..=0xfa => out.push(a),
        0xfb..=0xffff => out.extend_from_slice(&[0xfc, a, b]),
        0x1_0000..=0xff_ffff => out.extend_from_slice(&[0xfd, a, b, c]),
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// Reads "ERR_Packet", whose first byte is 0xFF.
pub(super) fn refused(packet: &[u8]) -> Fault {
    let mut fields = Fields::of(packet.get(1..).unwrap_or_default());
    let Ok(number) = fields.u16() else { return Fault::protocol("an error without a number") };
    let text = fields.rest();
    // Before the handshake there is no SQLSTATE.
    let (state, message) = match text.split_first() {
        Some((b'#', rest)) => rest.split_at_checked(5).unwrap_or((rest, &[])),
        _ => (&b"HY000"[..], text),
    };
    Fault::Refused {
        number,
        state: String::from_utf8_lossy(state).into_owned(),
        message: String::from_utf8_lossy(message).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_length_come_back() {
        for length in [0, 1, 250, 251, 252, 255, 256, 65_535, 65_536, 0xff_ffff, 0x100_0000] {
            let bytes = vec![7; length];
            let mut out = Vec::new();
            put_string(&bytes, &mut out);
            let mut fields = Fields::of(&out);
            assert_eq!(fields.string().unwrap().map(<[u8]>::len), Some(length));
            assert!(fields.rest().is_empty());
            assert!(Fields::of(&out[..out.len() - 1]).string().is_err());
        }
        assert!(Fields::of(&[0xfb]).string().unwrap().is_none());
    }

    #[test]
    fn an_error_has_its_number_with_and_without_a_state() {
        let text = |packet: &[u8]| refused(packet).to_string();
        assert_eq!(text(b"\xff\x15\x04#28000no"), "1045 (28000): no");
        assert_eq!(text(b"\xff\x10\x04Too many connections"), "1040 (HY000): Too many connections");
        assert_eq!(refused(b"\xff\x15\x04#28").number(), Some(1045));
        assert!(matches!(refused(b"\xff"), Fault::Protocol(_)));
    }
}
