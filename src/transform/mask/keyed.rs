//! HMAC-SHA-256 (RFC 2104), and what names a key without telling it.

use sha2::{Digest, Sha256};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A key, ready for use. Deliberately without `Debug` and `Serialize`.
#[derive(Clone)]
pub struct Keyed {
    inner: Sha256,
    outer: Sha256,
}

impl Keyed {
    /// Prepares a key of any length.
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0u8; BLOCK];
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let padded = |byte: u8| Sha256::new().chain_update(block.map(|own| own ^ byte));
        Keyed { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The code of `purpose` and `value`; a purpose never has a NUL in it, so no two pairs run together.
    pub fn code(&self, purpose: &str, value: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(purpose).chain_update([0]).chain_update(value).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }

    /// Eight hexadecimal digits that tell one key from another, and nothing else of it.
    pub fn fingerprint(&self) -> String {
        hex(&self.code("dbferry fingerprint", b""))[..8].to_string()
    }
}

/// `bytes` as small hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the purpose in front.
    fn plain(key: &[u8], message: &[u8]) -> String {
        let keyed = Keyed::new(key);
        let inner = keyed.inner.clone().chain_update(message).finalize();
        hex(&keyed.outer.clone().chain_update(inner).finalize())
    }

    #[test]
    fn the_vectors_of_rfc_4231_come_out() {
        let cases: [(&[u8], &[u8], &str); 6] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (
                &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, message, code) in cases {
            assert_eq!(plain(key, message), code);
        }
        let keyed = Keyed::new(b"Jefe");
        assert_eq!(hex(&keyed.code("a", b"bc")), plain(b"Jefe", b"a\0bc"));
        assert_ne!(keyed.code("ab", b"c"), keyed.code("a", b"bc"));
    }

    #[test]
    fn a_fingerprint_tells_keys_apart() {
        let print = |key: &str| Keyed::new(key.as_bytes()).fingerprint();
        assert_eq!(print("one key of many"), print("one key of many"));
        assert_ne!(print("one key of many"), print("one key of more"));
        assert_eq!(print("x").len(), 8);
    }
}
