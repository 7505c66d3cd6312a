//! The meaning of a JSON text: its canonical form, and what a strict target would lose of it.
//!
//! Equal in meaning are texts that differ in white space, in the order of keys, in escapes, and in the spelling of numbers
//! (`1.0`, `1`, `10e-1`; `-0` is `0`).

/// What makes a JSON text unfit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonFault {
    /// It is not JSON (RFC 8259); at this byte.
    Syntax(usize),
    /// An object names this key twice.
    DuplicateKey(String),
    /// It holds the character U+0000, as the escape `\u0000`.
    NulCharacter,
    /// A string holds half of a surrogate pair.
    LoneSurrogate,
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// Deepest nesting that is read. MySQL ends at 100; PostgreSQL at its stack.
pub const MAX_DEPTH: usize = 512;

/// The canonical form of `text`: no white space, keys sorted by their bytes, strings with the least escapes, numbers as
/// `digits` or `digits` `e` `exponent` without leading or trailing zeros.
///
/// # Errors
/// The first fault. Duplicate keys are a fault, since their meaning is undefined.
pub fn canonical(text: &str) -> Result<String, JsonFault> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    let mut out = String::with_capacity(text.len());
    reader.space();
    reader.value(&mut out, 0)?;
    reader.space();
    if reader.at == reader.bytes.len() { Ok(out) } else { Err(JsonFault::Syntax(reader.at)) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn syntax<T>(&self) -> Result<T, JsonFault> {
        Err(JsonFault::Syntax(self.at))
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.syntax()
        }
    }

    fn word(&mut self, word: &str, out: &mut String) -> Result<(), JsonFault> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            out.push_str(word);
            Ok(())
        } else {
            self.syntax()
        }
    }

    fn value(&mut self, out: &mut String, depth: usize) -> Result<(), JsonFault> {
        if depth > MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        match self.peek() {
            Some(b'{') => self.object(out, depth),
            Some(b'[') => self.array(out, depth),
            Some(b'"') => {
                let text = self.string()?;
                write_string(&text, out);
                Ok(())
            }
            Some(b't') => self.word("true", out),
            Some(b'f') => self.word("false", out),
            Some(b'n') => self.word("null", out),
            Some(b'-' | b'0'..=b'9') => self.number(out),
            _ => self.syntax(),
        }
    }

    fn object(&mut self, out: &mut String, depth: usize) -> Result<(), JsonFault> {
        self.expect(b'{')?;
        self.space();
        let mut members: Vec<(String, String)> = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.space();
                if self.peek() != Some(b'"') {
                    return self.syntax();
                }
                let key = self.string()?;
                self.space();
                self.expect(b':')?;
                self.space();
                let mut value = String::new();
                self.value(&mut value, depth + 1)?;
                members.push((key, value));
                self.space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.syntax(),
                }
            }
        }
        members.sort();
        if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(JsonFault::DuplicateKey(pair[0].0.clone()));
        }
        out.push('{');
        for (place, (key, value)) in members.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            write_string(key, out);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        Ok(())
    }

    fn array(&mut self, out: &mut String, depth: usize) -> Result<(), JsonFault> {
        self.expect(b'[')?;
        out.push('[');
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.space();
                self.value(out, depth + 1)?;
                self.space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        out.push(',');
                    }
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.syntax(),
                }
            }
        }
        out.push(']');
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonFault> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            // The input is a `str`, and quote, backslash and controls are never part of a longer character.
            text.push_str(std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| JsonFault::Syntax(start))?);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut text)?;
                }
                _ => return self.syntax(),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), JsonFault> {
        let Some(letter) = self.peek() else { return self.syntax() };
        self.at += 1;
        text.push(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                let code = match first {
                    0 => return Err(JsonFault::NulCharacter),
                    0xd800..=0xdbff => {
                        if !self.bytes[self.at..].starts_with(b"\\u") {
                            return Err(JsonFault::LoneSurrogate);
                        }
                        self.at += 2;
                        let second = self.hex4()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return Err(JsonFault::LoneSurrogate);
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    code => code,
                };
                char::from_u32(code).ok_or(JsonFault::LoneSurrogate)?
            }
            _ => {
                self.at -= 1;
                return self.syntax();
            }
        });
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, JsonFault> {
        let digits = self.bytes.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits.and_then(|digits| std::str::from_utf8(digits).ok()) else { return self.syntax() };
        let code = u32::from_str_radix(digits, 16).map_err(|_| JsonFault::Syntax(self.at))?;
        self.at += 4;
        Ok(code)
    }

    fn digits(&mut self) -> Result<&[u8], JsonFault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.syntax() } else { Ok(&self.bytes[start..self.at]) }
    }

    fn number(&mut self, out: &mut String) -> Result<(), JsonFault> {
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let start = self.at;
        let mut digits = self.digits()?.to_vec();
        if digits.len() > 1 && digits[0] == b'0' {
            return Err(JsonFault::Syntax(start));
        }
        let mut exponent: i64 = 0;
        if self.peek() == Some(b'.') {
            self.at += 1;
            let fraction = self.digits()?;
            exponent -= i64::try_from(fraction.len()).unwrap_or(i64::MAX);
            let fraction = fraction.to_vec();
            digits.extend(fraction);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let minus = match self.peek() {
                Some(sign @ (b'+' | b'-')) => {
                    self.at += 1;
                    sign == b'-'
                }
                _ => false,
            };
            let start = self.at;
            let text = self.digits()?;
            let power = text
                .iter()
                .try_fold(0i64, |power, digit| power.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
                .ok_or(JsonFault::Syntax(start))?;
            exponent = exponent.saturating_add(if minus { -power } else { power });
        }
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.saturating_add(1);
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let digits = &digits[zeros..];
        if digits.is_empty() {
            out.push('0');
            return Ok(());
        }
        if negative {
            out.push('-');
        }
        out.extend(digits.iter().map(|digit| char::from(*digit)));
        if exponent != 0 {
            out.push('e');
            out.push_str(&exponent.to_string());
        }
        Ok(())
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// The text without the escapes of U+0000 in its strings; `None` if there are none. The text need not be JSON.
pub fn without_nul(text: &str) -> Option<String> {
    const ESCAPE: &str = "\\u0000";
    if !text.contains(ESCAPE) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut found, mut quoted) = (text, false, false);
    while let Some(at) = rest.find(['"', '\\']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let taken = if from.starts_with('"') {
            quoted = !quoted;
            1
        } else if quoted && from.starts_with(ESCAPE) {
            found = true;
            rest = from.get(ESCAPE.len()..).unwrap_or_default();
            continue;
        } else {
            // A backslash and what it escapes.
            1 + from.chars().nth(1).map_or(0, char::len_utf8)
        };
        out.push_str(from.get(..taken).unwrap_or_default());
        rest = from.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_mean_the_same_have_one_form() {
        let one = canonical(r#" {"b": [1.0, 2e3, -0.0], "a" : "x\/\u00e4\ud83d\ude00" } "#);
        let two = canonical("{\"a\":\"x/ä😀\",\"b\":[1,2000,0]}");
        assert_eq!(one, two);
        assert_eq!(one.as_deref(), Ok("{\"a\":\"x/ä😀\",\"b\":[1,2e3,0]}"));
    }

    #[test]
    fn large_numbers_keep_every_digit() {
        assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
        assert_eq!(canonical("1e100"), canonical(&format!("1{}", "0".repeat(100))));
        assert_eq!(canonical("0.10").as_deref(), Ok("1e-1"));
    }

    #[test]
    fn what_a_strict_target_would_lose_is_a_fault() {
        assert_eq!(canonical(r#"{"a":1,"a":1}"#), Err(JsonFault::DuplicateKey("a".into())));
        assert_eq!(canonical(r#"{"a":1,"\u0061":2}"#), Err(JsonFault::DuplicateKey("a".into())));
        assert_eq!(canonical(r#""\u0000""#), Err(JsonFault::NulCharacter));
        assert_eq!(canonical(r#""\ud800""#), Err(JsonFault::LoneSurrogate));
        assert_eq!(canonical("01"), Err(JsonFault::Syntax(0)));
        assert_eq!(canonical("[1,]"), Err(JsonFault::Syntax(3)));
        assert_eq!(canonical("{} x"), Err(JsonFault::Syntax(3)));
        assert_eq!(canonical(&"[".repeat(1000)), Err(JsonFault::TooDeep));
    }

    #[test]
    fn only_escapes_of_nul_are_left_out() {
        assert_eq!(without_nul(r#"{"a\u0000b": "\u0000\u0000x\u0001"}"#).as_deref(), Some(r#"{"ab": "x\u0001"}"#));
        // A backslash that is escaped, and five digits after it that are none of its own.
        assert_eq!(without_nul(r#""\\u0000""#), None);
        assert_eq!(without_nul(r#""\\\u0000\"\u00000""#).as_deref(), Some(r#""\\\"0""#));
        assert_eq!(without_nul("plain"), None);
        assert_eq!(without_nul(r#""é\u0000é\"#).as_deref(), Some(r#""éé\"#));
    }

    proptest::proptest! {
        #[test]
        fn the_canonical_form_means_what_the_text_meant(text in "[ -~äß😀]{0,20}", number in proptest::num::i64::ANY) {
            let value = serde_json::json!({ "t": text, "n": number, "l": [number, text] });
            let form = canonical(&value.to_string()).unwrap();
            let back = canonical(&form).unwrap();
            proptest::prop_assert_eq!(&form, &back);
            let parsed: serde_json::Value = serde_json::from_str(&form).unwrap();
            proptest::prop_assert_eq!(&parsed["t"], &value["t"]);
        }
    }
}
