//! Reads a PostgreSQL type from text, as a person or `format_type` writes it, into one spelling.
//!
//! Knows names and their limits only; what a type means is decided in [`super::typemap`]. Nothing but what this grammar lets
//! through ever reaches the text of a CREATE TABLE.

use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::NativeType;

/// The most characters of `varchar(n)` and `char(n)`, as the server has it (`MaxAttrSize`).
pub(super) const MAX_CHARACTERS: u32 = 10_485_760;
/// The most bits of `bit(n)`.
pub(super) const MAX_BITS: u32 = 83_886_080;
/// The most dimensions of `vector(n)`.
pub(super) const MAX_DIMENSIONS: u32 = 16_000;
/// The most digits of `numeric(p,s)`.
const MAX_PRECISION: u32 = 1000;

/// Types of extensions: they live in a schema that the server decides.
pub(super) const EXTENSION_TYPES: [&str; 3] = ["citext", "geometry", "vector"];

/// What a person may write, for the nearest known name.
const KNOWN: &str = "smallint|int2|integer|int|int4|bigint|int8|real|float4|double precision|float8|float|numeric|decimal|dec|\
    boolean|bool|date|time|time without time zone|timestamp|timestamp without time zone|timestamptz|timestamp with time zone|interval|\
    varchar|character varying|char|character|bpchar|text|citext|bytea|bit|uuid|json|jsonb|geometry|vector|enum|text[]|\
    inet|cidr|macaddr|macaddr8";

/// The shapes of PostGIS in its own spelling.
const SHAPES: &str = "Geometry|Point|LineString|Polygon|MultiPoint|MultiLineString|MultiPolygon|GeometryCollection|CircularString|\
    CompoundCurve|CurvePolygon|MultiCurve|MultiSurface|Triangle|Tin";

/// Reads `text`: any spelling that PostgreSQL takes, `enum`, and arrays of these; a schema before the types of extensions is left out.
///
/// `full` is the spelling of `format_type`, `name` is short: `varchar`, `char`, `timestamptz`, `text[]`.
///
/// # Errors
/// `Mapping`: unknown, with the nearest known name, or outside the type's limits.
pub(super) fn parse(text: &str) -> Result<NativeType> {
    let mut rest = text.trim();
    let mut array = false;
    while let Some(before) = rest.strip_suffix(']') {
        let Some((before, size)) = before.rsplit_once('[') else { return Err(unknown(text)) };
        if !size.trim().bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown(text));
        }
        array = true;
        rest = before.trim_end();
    }
    let (words, arguments) = split(rest).ok_or_else(|| unknown(text))?;
    let mut native = element(text, &words, &arguments)?;
    if array {
        if native.name == "enum" {
            return Err(Error::new(ErrorKind::Mapping, format!("`{text}` is no column type that can be made"))
                .hint("Write `text[]` for a list of labels"));
        }
        native.name.push_str("[]");
        native.full.push_str("[]");
    }
    Ok(native)
}

/// The words around the parentheses, in lower case and joined by one space, and what stands inside, cut at commas.
fn split(text: &str) -> Option<(String, Vec<String>)> {
    let (words, arguments) = match text.split_once('(') {
        None => (text.to_string(), Vec::new()),
        Some((before, tail)) => {
            let (inside, after) = tail.split_once(')')?;
            (format!("{before} {after}"), inside.split(',').map(|argument| argument.trim().to_string()).collect())
        }
    };
    let mut words = words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    if let Some((_, name)) = words.rsplit_once('.').filter(|(_, name)| EXTENSION_TYPES.contains(name)) {
        words = name.to_string();
    }
    let words = words.strip_prefix("pg_catalog.").map_or(words.clone(), str::to_string);
    Some((words, arguments))
}

fn element(text: &str, words: &str, arguments: &[String]) -> Result<NativeType> {
    let one = |low: u32, high: u32| -> Result<Option<u32>> {
        match arguments {
            [] => Ok(None),
            [one] => number(text, one, low, high).map(Some),
            _ => Err(Error::new(ErrorKind::Mapping, format!("`{text}`: the type takes one number"))),
        }
    };
    let plain = |name: &str| -> Result<NativeType> {
        if arguments.is_empty() {
            Ok(native(name, name.to_string()))
        } else {
            Err(Error::new(ErrorKind::Mapping, format!("`{text}`: the type `{name}` takes nothing in parentheses")))
        }
    };
    // Temporal types carry their number inside their name: `timestamp(3) with time zone`.
    let temporal = |name: &str, first: &str, zone: &str| -> Result<NativeType> {
        let fsp = one(0, 6)?.and_then(|fsp| u8::try_from(fsp).ok());
        let full = fsp.map_or(format!("{first}{zone}"), |fsp| format!("{first}({fsp}){zone}"));
        Ok(NativeType { fsp, ..native(name, full) })
    };
    // Their default length is 1, except where `implied` is none.
    let sized = |name: &str, full: &str, high: u32, implied: Option<u32>| -> Result<NativeType> {
        let length = one(1, high)?.or(implied);
        let full = length.map_or(full.to_string(), |length| format!("{full}({length})"));
        Ok(NativeType { length: length.map(u64::from), ..native(name, full) })
    };
    match words {
        "smallint" | "int2" => plain("smallint"),
        "integer" | "int" | "int4" => plain("integer"),
        "bigint" | "int8" => plain("bigint"),
        "real" | "float4" => plain("real"),
        "double precision" | "float8" => plain("double precision"),
        "float" => match one(1, 53)? {
            Some(..=24) => Ok(native("real", "real".into())),
            _ => Ok(native("double precision", "double precision".into())),
        },
        "numeric" | "decimal" | "dec" => numeric(text, arguments),
        "boolean" | "bool" => plain("boolean"),
        "date" => plain("date"),
        "time" | "time without time zone" => temporal("time", "time", " without time zone"),
        "timestamp" | "timestamp without time zone" => temporal("timestamp", "timestamp", " without time zone"),
        "timestamptz" | "timestamp with time zone" => temporal("timestamptz", "timestamp", " with time zone"),
        "interval" => temporal("interval", "interval", ""),
        "varchar" | "character varying" | "char varying" => sized("varchar", "character varying", MAX_CHARACTERS, None),
        "char" | "character" => sized("char", "character", MAX_CHARACTERS, Some(1)),
        "bpchar" if arguments.is_empty() => Ok(native("char", "bpchar".into())),
        "bpchar" => sized("char", "character", MAX_CHARACTERS, None),
        "bit" => sized("bit", "bit", MAX_BITS, Some(1)),
        "geometry" => geometry(text, arguments),
        "vector" => sized("vector", "vector", MAX_DIMENSIONS, None),
        "text" | "citext" | "bytea" | "uuid" | "json" | "jsonb" | "enum" | "inet" | "cidr" | "macaddr" | "macaddr8" => {
            plain(words)
        }
        _ => Err(unknown(text)),
    }
}

fn native(name: &str, full: String) -> NativeType {
    NativeType { name: name.into(), full, ..NativeType::default() }
}

fn number(text: &str, argument: &str, low: u32, high: u32) -> Result<u32> {
    argument
        .parse()
        .ok()
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| Error::new(ErrorKind::Mapping, format!("`{text}`: `{argument}` is no whole number from {low} to {high}")))
}

fn numeric(text: &str, arguments: &[String]) -> Result<NativeType> {
    let (precision, scale) = match arguments {
        [] => return Ok(native("numeric", "numeric".into())),
        [precision] => (number(text, precision, 1, MAX_PRECISION)?, 0),
        [precision, scale] => {
            let scale = scale.parse::<i32>().ok().filter(|scale| (-1000..=1000).contains(scale));
            let scale = scale.ok_or_else(|| {
                Error::new(ErrorKind::Mapping, format!("`{text}`: the scale is no whole number from -1000 to 1000"))
            })?;
            (number(text, precision, 1, MAX_PRECISION)?, scale)
        }
        _ => return Err(Error::new(ErrorKind::Mapping, format!("`{text}`: the type takes precision and scale"))),
    };
    let mut native = native("numeric", format!("numeric({precision},{scale})"));
    // Scales below 0 and above the precision (PostgreSQL 15) have no place in the model: such a column counts as one without bounds.
    if let (Ok(precision), Ok(scale)) = (u8::try_from(precision), u8::try_from(scale))
        && scale <= precision
    {
        native.precision = Some(precision);
        native.scale = Some(scale);
    }
    Ok(native)
}

fn geometry(text: &str, arguments: &[String]) -> Result<NativeType> {
    let (shape, srid) = match arguments {
        [] => return Ok(native("geometry", "geometry".into())),
        [shape] => (shape, 0),
        [shape, srid] => (shape, number(text, srid, 0, 999_999)?),
        _ => return Err(Error::new(ErrorKind::Mapping, format!("`{text}`: the type takes a shape and an SRID"))),
    };
    // MySQL 8 has a shorter word.
    let lower = shape.to_lowercase().replace("geomcollection", "geometrycollection");
    // A third and a fourth dimension stand behind the shape: PointZ, PointM, PointZM.
    let found = SHAPES.split('|').find_map(|known| {
        let dimensions = lower.strip_prefix(&known.to_lowercase())?;
        matches!(dimensions, "" | "z" | "m" | "zm").then(|| format!("{known}{}", dimensions.to_uppercase()))
    });
    let Some(shape) = found else {
        return Err(Error::new(ErrorKind::Mapping, format!("`{text}`: `{shape}` is no shape that PostGIS knows"))
            .hint(format!("Did you mean `{}`?", nearest(shape, SHAPES))));
    };
    // SRID 0 demands nothing in PostGIS, and a bare geometry prints without parentheses.
    let full = match (shape.as_str(), srid) {
        ("Geometry", 0) => "geometry".to_string(),
        (shape, 0) => format!("geometry({shape})"),
        (shape, srid) => format!("geometry({shape},{srid})"),
    };
    Ok(NativeType { srid: Some(srid).filter(|srid| *srid != 0), ..native("geometry", full) })
}

fn unknown(text: &str) -> Error {
    let bare = text.split('(').next().unwrap_or(text).trim().to_lowercase();
    Error::new(ErrorKind::Mapping, format!("`{text}` is no PostgreSQL type that dbferry can carry"))
        .hint(format!("Did you mean `{}`?", nearest(&bare, KNOWN)))
}

fn nearest(text: &str, known: &'static str) -> &'static str {
    let text = text.to_lowercase();
    known.split('|').min_by_key(|name| strsim::damerau_levenshtein(&text, &name.to_lowercase())).unwrap_or("text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_becomes_the_servers_own() {
        for (text, name, full) in [
            ("int", "integer", "integer"),
            ("INT4", "integer", "integer"),
            ("pg_catalog.int8", "bigint", "bigint"),
            ("float8", "double precision", "double precision"),
            ("double   precision", "double precision", "double precision"),
            ("float(24)", "real", "real"),
            ("decimal", "numeric", "numeric"),
            ("decimal(20, 4)", "numeric", "numeric(20,4)"),
            ("numeric(7)", "numeric", "numeric(7,0)"),
            ("character varying(20)", "varchar", "character varying(20)"),
            ("Varchar", "varchar", "character varying"),
            ("char", "char", "character(1)"),
            ("timestamp with time zone", "timestamptz", "timestamp with time zone"),
            ("timestamp(3) with time zone", "timestamptz", "timestamp(3) with time zone"),
            ("timestamptz(3)", "timestamptz", "timestamp(3) with time zone"),
            ("timestamp(0)", "timestamp", "timestamp(0) without time zone"),
            ("time (6)", "time", "time(6) without time zone"),
            ("interval(2)", "interval", "interval(2)"),
            ("bool", "boolean", "boolean"),
            ("bit", "bit", "bit(1)"),
            ("enum", "enum", "enum"),
            ("text[]", "text[]", "text[]"),
            ("numeric(10,2)[3][]", "numeric[]", "numeric(10,2)[]"),
            ("geometry(point, 4326)", "geometry", "geometry(Point,4326)"),
            ("\"my gis\".geometry(MULTIPOLYGONZ,0)", "geometry", "geometry(MultiPolygonZ)"),
            ("geometry(GEOMCOLLECTION)", "geometry", "geometry(GeometryCollection)"),
            ("public.vector(3)", "vector", "vector(3)"),
        ] {
            let native = parse(text).unwrap();
            assert_eq!((native.name.as_str(), native.full.as_str()), (name, full), "{text}");
            assert_eq!(parse(&native.full).unwrap(), native, "{text}: its own spelling reads back");
        }
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_nearest_one() {
        for (text, hint) in [("bigintt", "`bigint`"), ("varchr(20)", "`varchar`"), ("nummeric(3)", "`numeric`")] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Mapping);
            assert!(error.hint_text().unwrap().contains(hint), "{text}: {:?}", error.hint_text());
        }
        for text in
            ["", "varchar(0)", "numeric(1001)", "time(7)", "text(3)", "integer; drop", "varchar(1", "int[x]", "]", "text]"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_numeric_beyond_the_model_keeps_its_spelling_and_has_no_bounds() {
        let native = parse("numeric(300,-2)").unwrap();
        assert_eq!((native.full.as_str(), native.precision, native.scale), ("numeric(300,-2)", None, None));
    }
}
