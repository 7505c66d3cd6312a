//! Vectors and lists of floats: from JSON arrays and packed bytes, and back to text.
//!
//! A number in decimal digits becomes a binary float when it is one of the three texts that stand for that float: its shortest text
//! (`0.1` for the 32-bit float next to it, which prints as `0.1` again), the shortest text of the same value as a 64-bit float (what
//! programs write that know 64 bits alone: `0.10000000149011612`), or its exact decimal value. Any other number would come back with
//! other digits, and is refused.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListBuilder, Float32Builder, Float64Builder, ListArray, ListBuilder, StringBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float32Type};

use super::pairs::Refusal;
use super::text::{room, shorten, too_long};
use crate::model::{LogicalType, json};

/// More digits behind the point than any 64-bit float has in its exact decimal value.
const EXACT_DIGITS: usize = 1100;

fn dimensions(to: &LogicalType) -> usize {
    match to {
        LogicalType::Vector { dimensions } => usize::try_from(*dimensions).unwrap_or(usize::MAX),
        _ => 0,
    }
}

/// The elements of a JSON array in their canonical form; each begins with what it is: a digit or `-` for a number, `n` for null.
fn elements(text: &str) -> Result<Vec<String>, String> {
    let canonical = json::canonical(text).map_err(|_| format!("`{}` is no JSON", shorten(text)))?;
    let inner = canonical.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("`{}` is no JSON array", shorten(text)))?;
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    // A string may hold commas, but begins with a quote, and so the first piece of it is refused.
    Ok(inner.split(',').map(str::to_string).collect())
}

fn is_number(element: &str) -> bool {
    element.starts_with(|start: char| start.is_ascii_digit() || start == '-')
}

fn no_number(at: usize, element: &str) -> String {
    format!("element {} of the JSON array is `{}`, and no number", at + 1, shorten(element))
}

fn means(text: &str, canonical: &str) -> bool {
    json::canonical(text).is_ok_and(|own| own == canonical)
}

/// The 32-bit float that a number in canonical form stands for.
fn float32(number: &str) -> Option<f32> {
    let float: f32 = number.parse().ok().filter(|float: &f32| float.is_finite())?;
    let stands = means(&float.to_string(), number)
        || means(&f64::from(float).to_string(), number)
        || means(&format!("{float:.EXACT_DIGITS$}"), number);
    stands.then_some(float)
}

/// The 64-bit float that a number in canonical form stands for.
fn float64(number: &str) -> Option<f64> {
    let float: f64 = number.parse().ok().filter(|float: &f64| float.is_finite())?;
    (means(&float.to_string(), number) || means(&format!("{float:.EXACT_DIGITS$}"), number)).then_some(float)
}

fn not_exact(at: usize, number: &str, bits: u8, instead: &str) -> String {
    format!("element {} of the JSON array, {number}, is not exactly a {bits}-bit binary float; {instead}", at + 1)
}

fn float32_at(at: usize, element: &str) -> Result<f32, String> {
    if !is_number(element) {
        return Err(no_number(at, element));
    }
    float32(element).ok_or_else(|| not_exact(at, element, 32, "`double precision[]` may hold it"))
}

/// Text of JSON arrays as vectors.
pub fn json_to_vector(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let dimensions = dimensions(to);
    vectors(array.len(), dimensions, to, |row| {
        let texts = array.as_string::<i32>();
        if texts.is_null(row) {
            return Ok(None);
        }
        let elements = elements(texts.value(row))?;
        if elements.len() != dimensions {
            return Err(format!("a JSON array of {} elements is no {to}", elements.len()));
        }
        elements.iter().enumerate().map(|(at, element)| float32_at(at, element)).collect::<Result<Vec<f32>, _>>().map(Some)
    })
}

/// Packed little-endian 32-bit floats as vectors.
pub fn bytes_to_vector(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let dimensions = dimensions(to);
    vectors(array.len(), dimensions, to, |row| {
        let values = array.as_binary::<i32>();
        if values.is_null(row) {
            return Ok(None);
        }
        let floats = unpack(values.value(row))?;
        if floats.len() == dimensions { Ok(Some(floats)) } else { Err(format!("{} packed floats are no {to}", floats.len())) }
    })
}

fn unpack(bytes: &[u8]) -> Result<Vec<f32>, String> {
    let (floats, rest) = bytes.as_chunks::<4>();
    if rest.is_empty() {
        Ok(floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
    } else {
        Err(format!("{} bytes are no packed 32-bit floats, which have 4 each", bytes.len()))
    }
}

fn vectors(
    rows: usize,
    dimensions: usize,
    to: &LogicalType,
    value: impl Fn(usize) -> Result<Option<Vec<f32>>, String>,
) -> Result<ArrayRef, Refusal> {
    let length = i32::try_from(dimensions).map_err(|_| Refusal { row: 0, why: format!("{to} is too long") })?;
    let field = Field::new_list_field(DataType::Float32, false);
    let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), length).with_field(field);
    for row in 0..rows {
        let floats = value(row).map_err(|why| Refusal { row, why })?;
        builder.append(floats.is_some());
        match floats {
            Some(floats) => builder.values().append_slice(&floats),
            // A NULL still has its room.
            None => (0..dimensions).for_each(|_| builder.values().append_value(0.0)),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Text of JSON arrays as lists of 32-bit floats.
pub fn json_to_floats32(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let mut builder = ListBuilder::new(Float32Builder::new());
    for (row, text) in array.as_string::<i32>().iter().enumerate() {
        for (at, element) in list(row, text)?.iter().flatten().enumerate() {
            if element == "null" {
                builder.values().append_null();
            } else {
                builder.values().append_value(float32_at(at, element).map_err(|why| Refusal { row, why })?);
            }
        }
        builder.append(text.is_some());
    }
    Ok(Arc::new(builder.finish()))
}

/// Text of JSON arrays as lists of 64-bit floats.
pub fn json_to_floats64(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let mut builder = ListBuilder::new(Float64Builder::new());
    for (row, text) in array.as_string::<i32>().iter().enumerate() {
        for (at, element) in list(row, text)?.iter().flatten().enumerate() {
            if element == "null" {
                builder.values().append_null();
                continue;
            }
            let float = if is_number(element) {
                float64(element).ok_or_else(|| not_exact(at, element, 64, "leave it JSON"))
            } else {
                Err(no_number(at, element))
            };
            builder.values().append_value(float.map_err(|why| Refusal { row, why })?);
        }
        builder.append(text.is_some());
    }
    Ok(Arc::new(builder.finish()))
}

fn list(row: usize, text: Option<&str>) -> Result<Option<Vec<String>>, Refusal> {
    text.map(elements).transpose().map_err(|why| Refusal { row, why })
}

/// Packed little-endian 32-bit floats as lists of them.
pub fn bytes_to_floats(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let mut builder = ListBuilder::new(Float32Builder::new());
    for (row, value) in array.as_binary::<i32>().iter().enumerate() {
        if let Some(bytes) = value {
            builder.values().append_slice(&unpack(bytes).map_err(|why| Refusal { row, why })?);
        }
        builder.append(value.is_some());
    }
    Ok(Arc::new(builder.finish()))
}

/// Vectors as lists of their floats. The floats are shared.
pub fn to_floats(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let vectors = array.as_fixed_size_list();
    let length = usize::try_from(vectors.value_length()).unwrap_or_default();
    let field = Arc::new(Field::new_list_field(DataType::Float32, true));
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(length, vectors.len()));
    let lists = ListArray::try_new(field, offsets, Arc::clone(vectors.values()), vectors.nulls().cloned());
    Ok(Arc::new(lists.map_err(|error| Refusal { row: 0, why: format!("the vectors make no lists: {error}") })?))
}

/// Vectors as the text of a JSON array, each float by its shortest text.
pub fn to_text(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let (vectors, room) = (array.as_fixed_size_list(), room(to));
    let mut texts = StringBuilder::new();
    for row in 0..vectors.len() {
        if vectors.is_null(row) {
            texts.append_null();
            continue;
        }
        let values = vectors.value(row);
        let mut parts = Vec::with_capacity(values.len());
        for float in values.as_primitive::<Float32Type>().values() {
            if !float.is_finite() {
                return Err(Refusal { row, why: format!("the vector holds {float}, which JSON cannot") });
            }
            if matches!(to, LogicalType::Json) && *float == 0.0 && float.is_sign_negative() {
                return Err(Refusal { row, why: "the vector holds -0, and JSON does not tell it from 0".into() });
            }
            parts.push(float.to_string());
        }
        let text = format!("[{}]", parts.join(","));
        if text.len() > room {
            return Err(too_long(row, &text, to));
        }
        texts.append_value(text);
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_becomes_a_float_only_if_it_stands_for_it() {
        for (number, float) in [
            ("0", 0.0),
            ("1e-1", 0.1),
            ("10000000149011612e-17", 0.1),
            ("100000001490116119384765625e-27", 0.1),
            ("-69292835e-10", -0.006_929_283_5),
            ("16777216", 16_777_216.0),
            ("1e-45", f32::from_bits(1)),
            ("34028235e31", f32::MAX),
        ] {
            assert_eq!(float32(number).map(f32::to_bits), Some(f32::to_bits(float)), "{number}");
        }
        for number in ["16777217", "1e39", "10000000000000001e-17", "123456789e-9", "1e-60"] {
            assert_eq!(float32(number), None, "{number}");
        }
        assert_eq!(float64("123456789e-9"), Some(0.123_456_789));
        assert_eq!(float64("9007199254740993"), None);
    }
}
