//! Geometries: row G1.

use super::{MappingFile, has_nothing, is_maria};
use crate::support::ferry::{ferry, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Points whose axes differ: longitude 13.5 and latitude 52.25. MySQL writes latitude first in a geographic system, MariaDB never.
fn shapes(maria: bool) -> String {
    let (point, line) = if maria { ("13.5 52.25", "13.5 52.25,-70.5 -33.25") } else { ("52.25 13.5", "52.25 13.5,-33.25 -70.5") };
    format!(
        "CREATE TABLE g (id INT NOT NULL PRIMARY KEY, p POINT, l LINESTRING, a GEOMETRY);
INSERT INTO g VALUES (1, ST_GeomFromText('POINT({point})', 4326), ST_GeomFromText('LINESTRING({line})', 4326), ST_GeomFromText('POINT(1 2)'));
INSERT INTO g VALUES (2, NULL, NULL, ST_GeomFromText('GEOMETRYCOLLECTION(POINT(3 4),POLYGON((0 0,0 1,1 1,0 0)))', 3857));
"
    )
}

#[tokio::test]
async fn shapes_keep_their_system_and_the_order_of_their_axes() {
    let from = MySqlDatabase::create("").await;
    from.run(&shapes(is_maria(&from).await)).await;
    let to = PostgresDatabase::create("CREATE EXTENSION postgis").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    let ask = async |sql: &str| to.value(sql).await.unwrap_or_default();
    // G1: x is the longitude, y the latitude, and the system is kept for each value.
    assert_eq!(ask("SELECT ST_AsEWKT(p) FROM g WHERE id = 1").await, "SRID=4326;POINT(13.5 52.25)");
    assert_eq!(ask("SELECT ST_X(p) || ' ' || ST_Y(p) || ' ' || ST_SRID(p) FROM g WHERE id = 1").await, "13.5 52.25 4326");
    assert_eq!(ask("SELECT ST_AsEWKT(l) FROM g WHERE id = 1").await, "SRID=4326;LINESTRING(13.5 52.25,-70.5 -33.25)");
    assert_eq!(ask("SELECT ST_AsEWKT(a) FROM g WHERE id = 1").await, "POINT(1 2)");
    assert_eq!(
        ask("SELECT ST_AsEWKT(a) FROM g WHERE id = 2").await,
        "SRID=3857;GEOMETRYCOLLECTION(POINT(3 4),POLYGON((0 0,0 1,1 1,0 0)))"
    );
    assert_eq!(ask("SELECT p IS NULL AND l IS NULL FROM g WHERE id = 2").await, "true");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn without_postgis_shapes_are_refused_or_kept_as_bytes() {
    let from = MySqlDatabase::create("").await;
    from.run(&shapes(is_maria(&from).await)).await;
    let to = PostgresDatabase::create("").await;
    // G1: refused before anything is made, with the line.
    ferry(&["run", &from.url, &to.url]).code(2).complains(&[
        "PostgreSQL has it only with the extension `postgis`",
        "[table.columns.p]\nto = \"bytea\"",
        "[table.columns.a]\nto = \"bytea\"",
    ]);
    has_nothing(&to).await;
    let file = MappingFile::new(
        "[[type]]\nmatch = { type = \"point\" }\nto = \"bytea\"\n\n[[type]]\nmatch = { type = \"linestring\" }\nto = \"bytea\"\n\n[[type]]\nmatch = { type = \"geometry\" }\nto = \"bytea\"\n",
    );
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    // G1: as bytes they are EWKB: little endian, a point with a system, 4326, 13.5, 52.25.
    let bytes = "0101000020e61000000000000000002b400000000000204a40";
    assert_eq!(to.value("SELECT encode(p, 'hex') FROM g WHERE id = 1").await.as_deref(), Some(bytes));
    from.drop().await;
    to.drop().await;
}
