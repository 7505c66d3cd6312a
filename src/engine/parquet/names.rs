//! Names of tables and chunks as names of folders and files that every file system can hold.

use sha2::{Digest as _, Sha256};

use crate::model::ObjectName;

/// The longest name of a folder that is used as it is; file systems end at 255 bytes.
const MAX_NAME_BYTES: usize = 200;

/// Names that Windows keeps for devices, whatever follows the first dot.
const DEVICES: [&str; 22] = [
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "LPT1", "LPT2", "LPT3",
    "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

/// The folder of a table: `orders`, or `shop.orders` with a schema.
///
/// Each part is percent-encoded but for ASCII letters, digits, `-` and `_`, so that the dot is only ever the one between schema and table and no
/// name leaves its folder; a first `_` is encoded too, since `_` marks what is no table. A name too long for a file system is cut and ends in `~` and a hash.
pub fn table_folder(table: &ObjectName) -> String {
    let name = encode(&table.name);
    let folder = if table.schema.is_empty() { name } else { format!("{}.{name}", encode(&table.schema)) };
    if folder.len() <= MAX_NAME_BYTES {
        return folder;
    }
    let hash = Sha256::digest(folder.as_bytes());
    let mut cut: String = folder.chars().take(MAX_NAME_BYTES - 33).collect();
    cut.push('~');
    for byte in hash.iter().take(16) {
        cut.push_str(&format!("{byte:02x}"));
    }
    cut
}

/// One part of a name, percent-encoded as [`table_folder`] says.
pub fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let device = DEVICES.iter().any(|device| device.eq_ignore_ascii_case(name));
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' if at > 0 || (byte != b'_' && !device) => {
                text.push(char::from(byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    if text.is_empty() { "%".into() } else { text }
}

/// The file of a chunk: `part-000042.parquet`.
pub fn part_file(chunk: u32) -> String {
    format!("part-{chunk:06}.parquet")
}

/// The chunk of a file that [`part_file`] named.
pub fn chunk_of(file: &str) -> Option<u32> {
    let digits = file.strip_prefix("part-")?.strip_suffix(".parquet")?;
    let chunk = digits.parse().ok()?;
    (part_file(chunk) == file).then_some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_a_safe_file_name() {
        assert_eq!(table_folder(&ObjectName::new("", "orders")), "orders");
        assert_eq!(table_folder(&ObjectName::new("shop", "Order Items")), "shop.Order%20Items");
        assert_eq!(table_folder(&ObjectName::new("", "../../etc")), "%2E%2E%2F%2E%2E%2Fetc");
        assert_eq!(table_folder(&ObjectName::new("", "_dbferry")), "%5Fdbferry");
        assert_eq!(table_folder(&ObjectName::new("", "nul")), "%6Eul");
        assert_eq!(table_folder(&ObjectName::new("", "")), "%");
        let long = table_folder(&ObjectName::new("", "ä".repeat(64)));
        assert_eq!(long.len(), MAX_NAME_BYTES);
    }

    #[test]
    fn a_chunk_has_exactly_one_file_name() {
        assert_eq!(chunk_of("part-000042.parquet"), Some(42));
        assert_eq!(chunk_of(&part_file(u32::MAX)), Some(u32::MAX));
        for file in ["part-42.parquet", "part-+00042.parquet", "part-0000042.parquet", "part-000042.parquet.tmp", "x"] {
            assert_eq!(chunk_of(file), None, "{file}");
        }
    }

    proptest::proptest! {
        #[test]
        fn different_tables_have_different_folders(a in "\\PC{0,20}", b in "\\PC{0,20}", c in "\\PC{0,20}", d in "\\PC{0,20}") {
            let one = ObjectName::new(a, b);
            let two = ObjectName::new(c, d);
            let folder = table_folder(&one);
            proptest::prop_assert!(folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%-_.~".contains(&byte)));
            proptest::prop_assert!(!folder.starts_with(['_', '.']) && folder.len() <= 255);
            proptest::prop_assert_eq!(one == two, folder == table_folder(&two));
        }
    }
}
