//! stub
/// stub
pub fn count(n: u64) -> String {
    n.to_string()
}
