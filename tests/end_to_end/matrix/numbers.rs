//! Numbers: rows N1 to N10, and D10.

use super::{MappingFile, has_nothing, losses, says};
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn the_largest_unsigned_numbers_keep_each_digit() {
    let from = MySqlDatabase::create(
        "CREATE TABLE u (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, b BIGINT UNSIGNED, small BIGINT UNSIGNED);
INSERT INTO u VALUES (18446744073709551615, 9223372036854775808, 1), (9223372036854775807, 18446744073709551614, 9223372036854775807), (0, 0, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // N1: no float in between, and never negative.
    to.has_types("u", &[("id", "numeric(20,0)"), ("b", "numeric(20,0)")]).await;
    to.holds("u", "id = 18446744073709551615", &["b", "small"], "9223372036854775808, 1").await;
    to.holds("u", "id = 9223372036854775807", &["b", "small"], "18446744073709551614, 9223372036854775807").await;
    to.holds("u", "id = 0", &["b", "small"], "0, NULL").await;
    to.refuses("INSERT INTO u VALUES (-1, 1, 1)", "23514").await;
    // N1: bigint where the mapping asks for it and each value fits.
    let file = MappingFile::new("[[table]]\nname = \"u\"\n[table.columns]\nsmall = { to = \"bigint\" }\n");
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    to.has_types("u", &[("small", "bigint")]).await;
    to.holds("u", "id = 9223372036854775807", &["small"], "9223372036854775807").await;
    // N1: and refused where one does not, before anything is changed.
    let file = MappingFile::new("[[table]]\nname = \"u\"\n[table.columns]\nb = { to = \"bigint\" }\n");
    ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"])
        .code(2)
        .complains(&["u.b`: 2 values lie beyond -9223372036854775808 to 9223372036854775807, for example where id = "]);
    assert_eq!(to.value("SELECT count(*) FROM u").await.as_deref(), Some("3"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn every_unsigned_number_has_one_step_more_room() {
    let from = MySqlDatabase::create(
        "CREATE TABLE u (id INT NOT NULL PRIMARY KEY, t TINYINT UNSIGNED, s SMALLINT UNSIGNED, m MEDIUMINT UNSIGNED, i INT UNSIGNED, i1 INT(1) UNSIGNED);
INSERT INTO u VALUES (1, 0, 0, 0, 0, 0), (2, 255, 65535, 16777215, 4294967295, 4294967295);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // N2: one step wider, whatever the width in brackets.
    to.has_types("u", &[("t", "smallint"), ("s", "integer"), ("m", "integer"), ("i", "bigint"), ("i1", "bigint")]).await;
    to.holds("u", "id = 1", &["t", "s", "m", "i", "i1"], "0, 0, 0, 0, 0").await;
    to.holds("u", "id = 2", &["t", "s", "m", "i", "i1"], "255, 65535, 16777215, 4294967295, 4294967295").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_width_for_display_means_nothing_and_zerofill_is_told() {
    let from = MySqlDatabase::create(
        "CREATE TABLE w (id INT(3) NOT NULL PRIMARY KEY, i INT(11), big INT(20), t TINYINT(4), z INT(8) ZEROFILL DEFAULT 7, d DECIMAL(10,2) ZEROFILL);
INSERT INTO w VALUES (123456, 2147483647, -2147483648, -128, 42, 1.50), (2, 0, 0, 127, 4294967295, 99999999.99);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // N4: the type decides, not the width; ZEROFILL is unsigned, and its zeros are told of.
    let types =
        [("id", "integer"), ("i", "integer"), ("big", "integer"), ("t", "smallint"), ("z", "bigint"), ("d", "numeric(10,2)")];
    to.has_types("w", &types).await;
    to.holds("w", "id = 123456", &["i", "big", "t", "z", "d"], "2147483647, -2147483648, -128, 42, 1.50").await;
    to.holds("w", "id = 2", &["i", "big", "t", "z", "d"], "0, 0, 127, 4294967295, 99999999.99").await;
    for column in ["w.z", "w.d"] {
        assert!(says(&done, "note", column).contains("shows its numbers with zeros in front"), "{:#}", done["problems"]);
    }
    assert_eq!(says(&done, "note", "w.i"), "");
    to.run("INSERT INTO w (id) VALUES (3)").await;
    to.holds("w", "id = 3", &["z"], "7").await;
    from.drop().await;
    to.drop().await;
}

const FLAGS: &str = "CREATE TABLE f (id INT NOT NULL PRIMARY KEY, yes_no TINYINT(1) NOT NULL, number TINYINT(1), wide TINYINT(4), u TINYINT(1) UNSIGNED);
INSERT INTO f VALUES (1, 0, 0, 0, 0), (2, 1, 2, 1, 1), (3, 1, -1, 1, 0), (4, 0, 127, 0, 1), (5, 1, NULL, NULL, NULL);
";

#[tokio::test]
async fn a_tinyint_is_boolean_only_where_every_value_is_0_or_1() {
    let from = MySqlDatabase::create(FLAGS).await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // N5: proven, or a number that keeps its 2, its -1 and its 127.
    to.has_types("f", &[("yes_no", "boolean"), ("number", "smallint"), ("wide", "smallint"), ("u", "smallint")]).await;
    for (id, values) in [(1, "false, 0"), (2, "true, 2"), (3, "true, -1"), (4, "false, 127"), (5, "true, NULL")] {
        to.holds("f", &format!("id = {id}"), &["yes_no", "number"], values).await;
    }
    // N5: not proven, not boolean.
    report(0, &["run", &from.url, &to.url, "--if-exists", "drop", "--probe", "off"]);
    to.has_types("f", &[("yes_no", "smallint")]).await;
    to.run("DROP TABLE f; DROP SCHEMA dbferry CASCADE").await;
    // N5: asked for, it is refused with count, key and the line, before and while rows move.
    let asked = "[[table]]\nname = \"f\"\n[table.columns.number]\nto = \"boolean\"\n";
    let file = MappingFile::new(asked);
    ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2).complains(&[
        "f.number`: 3 values are neither 0 nor 1, for example where id = ",
        "[table.columns.number]\nto = \"smallint\"",
    ]);
    has_nothing(&to).await;
    let failed = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--probe", "off"]);
    let error = table(&failed, "f")["errors"][0].as_str().unwrap_or_default().to_string();
    assert!(error.contains("f.number` (id = 2)") && error.contains("2 is neither 0 nor 1"), "{error}");
    assert_eq!(to.value("SELECT count(*) FROM f").await.as_deref(), Some("0"));
    // N5: by policy the nearest of the two, or NULL, each counted.
    for (word, values) in [("clamp", "f t f t "), ("null", "f    ")] {
        let file = MappingFile::new(&format!("{asked}out_of_range = \"{word}\"\n"));
        let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
        assert_eq!(losses(&done, "f"), [format!("number out_of_range {word} 3")]);
        let found = "SELECT string_agg(coalesce(left(number::text, 1), ''), ' ' ORDER BY id) FROM f";
        // In the order 0, 2, -1, 127, NULL.
        let expected = if word == "clamp" { "f t f t " } else { values };
        assert_eq!(to.value(found).await.as_deref(), Some(expected));
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_standing_boolean_is_told_what_settles_a_2() {
    let from = MySqlDatabase::create(FLAGS).await;
    let standing = "CREATE TABLE f (id int PRIMARY KEY, yes_no boolean NOT NULL, number boolean, wide smallint, u smallint)";
    let to = PostgresDatabase::create(standing).await;
    let said = ferry(&["run", &from.url, &to.url, "--tables", "existing"]).code(2);
    // N5: the lines are ones that the standing type can follow.
    let line = "[table.columns.number]\nexpr = \"\\\"number\\\" <> 0\"  # all but 0 are true";
    said.complains(&["3 values are neither 0 nor 1, for example where id = ", line, "out_of_range = \"clamp\", or \"null\""]);
    assert_eq!(to.value("SELECT count(*) FROM f").await.as_deref(), Some("0"));
    let file = MappingFile::new(&format!("[[table]]\nname = \"f\"\n{line}\n"));
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--tables", "existing", "--verify", "full"]);
    let found = "SELECT string_agg(coalesce(left(number::text, 1), '-'), '' ORDER BY id) FROM f";
    assert_eq!(to.value(found).await.as_deref(), Some("fttt-"));
    let file = MappingFile::new("[[table]]\nname = \"f\"\n[table.columns.number]\nout_of_range = \"null\"\n");
    let done = report(
        0,
        &["run", &from.url, &to.url, "-m", &file.path(), "--tables", "existing", "--if-exists", "truncate", "--verify", "full"],
    );
    assert_eq!(losses(&done, "f"), ["number out_of_range null 3"]);
    assert_eq!(to.value(found).await.as_deref(), Some("f----"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_widest_decimals_keep_each_digit() {
    let nines = |count: usize| "9".repeat(count);
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE d (id INT NOT NULL PRIMARY KEY, a DECIMAL(65,30), b DECIMAL(65,0), c DECIMAL(30,30), e DECIMAL(39,1), f DECIMAL(38,30), g DECIMAL(1,0));
INSERT INTO d (id, a, b, c, e, g) VALUES (1, {}.{}, {}, 0.{}, {}.9, 9), (2, -{}.{}, -{}, -0.{}, -{}.9, -9);
INSERT INTO d (id, a, c) VALUES (3, 0.000000000000000000000000000001, 0.000000000000000000000000000001), (4, 1, 0.1), (5, NULL, NULL);
",
        nines(35), nines(30), nines(65), nines(30), nines(38),
        nines(35), nines(30), nines(65), nines(30), nines(38),
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // N6: all 65 digits, and all 30 behind the point.
    to.has_types("d", &[("a", "numeric(65,30)"), ("b", "numeric(65,0)"), ("c", "numeric(30,30)"), ("e", "numeric(39,1)")]).await;
    for (id, sign) in [(1, ""), (2, "-")] {
        let values = format!(
            "{sign}{}.{}, {sign}{}, {sign}0.{}, {sign}{}.9, {sign}9",
            nines(35),
            nines(30),
            nines(65),
            nines(30),
            nines(38)
        );
        to.holds("d", &format!("id = {id}"), &["a", "b", "c", "e", "g"], &values).await;
    }
    to.holds("d", "id = 3", &["a", "c"], "0.000000000000000000000000000001, 0.000000000000000000000000000001").await;
    let text = "SELECT a::text || ' ' || c::text FROM d WHERE id = 4";
    let zeros = |count: usize| "0".repeat(count);
    assert_eq!(to.value(text).await, Some(format!("1.{} 0.1{}", zeros(30), zeros(29))));
    // N6: less digits are a choice that each value must allow.
    let file = MappingFile::new("[[table]]\nname = \"d\"\n[table.columns.a]\nto = \"numeric(65,29)\"\n");
    let failed = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]);
    let error = table(&failed, "d")["errors"][0].as_str().unwrap_or_default().to_string();
    assert!(error.contains("d.a` (id = 1)") && error.contains("digits"), "{error}");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn floats_arrive_by_their_bits() {
    // The text protocol shows 6 digits of a FLOAT: 21666.66 would be 21666.7, 16777215 would be 16777200.
    let floats = ["21666.66", "16777215", "0.1", "3.4028235e38", "-3.4028235e38", "1.17549435e-38", "1.5e-45", "123456.79", "0"];
    let doubles = [
        "0.1",
        "0.30000000000000004",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.225073858507201e-308",
        "9007199254740993",
        "-1e-300",
    ];
    let rows: String =
        (0..9).map(|at| format!("INSERT INTO f VALUES ({at}, {}, {}, NULL);\n", floats[at], doubles[at])).collect();
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE f (id INT NOT NULL PRIMARY KEY, f FLOAT, d DOUBLE, n DOUBLE);\n{rows}INSERT INTO f VALUES (9, -0e0, -0e0, NULL);
INSERT INTO f VALUES (10, 1, 1, NULL);
UPDATE f SET f = 0 * -1e0, d = 0 * -1e0 WHERE id = 10;
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.has_types("f", &[("f", "real"), ("d", "double precision")]).await;
    let bits = |id: usize, column: &str| {
        format!(
            "SELECT encode({}({column}), 'hex') FROM f WHERE id = {id}",
            if column == "f" { "float4send" } else { "float8send" }
        )
    };
    for at in 0..9 {
        let float: f32 = floats[at].parse().unwrap();
        let double: f64 = doubles[at].parse().unwrap();
        // N7: the bits of the FLOAT.
        assert_eq!(to.value(&bits(at, "f")).await, Some(format!("{:08x}", float.to_bits())), "{}", floats[at]);
        // N8: the bits of the DOUBLE, the smallest and the largest.
        assert_eq!(to.value(&bits(at, "d")).await, Some(format!("{:016x}", double.to_bits())), "{}", doubles[at]);
    }
    // N8: a zero keeps the sign that the source has kept.
    let mut source = from.connect().await;
    for id in [9, 10] {
        let sql = format!("SELECT CONCAT(CAST(f AS CHAR), ' ', CAST(d AS CHAR)) FROM f WHERE id = {id}");
        let kept: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut source).await.unwrap();
        let (f, d) = kept.split_once(' ').unwrap();
        let sign = |text: &str| if text.starts_with('-') { "8" } else { "0" };
        assert_eq!(to.value(&bits(id, "f")).await, Some(format!("{}{}", sign(f), "0".repeat(7))), "{kept}");
        assert_eq!(to.value(&bits(id, "d")).await, Some(format!("{}{}", sign(d), "0".repeat(15))), "{kept}");
    }
    // D10: a number that is NULL is NULL, and no 0.
    assert_eq!(to.value("SELECT count(*) FROM f WHERE n IS NULL").await.as_deref(), Some("11"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn unsigned_fractions_stay_so() {
    let from = MySqlDatabase::create(
        "CREATE TABLE u (id INT NOT NULL PRIMARY KEY, f FLOAT UNSIGNED, d DOUBLE UNSIGNED, n DECIMAL(5,2) UNSIGNED);
INSERT INTO u VALUES (1, 0.5, 1e300, 999.99), (2, 0, 0, 0);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // N9: the type, and a check for the sign.
    to.has_types("u", &[("f", "real"), ("d", "double precision"), ("n", "numeric(5,2)")]).await;
    to.holds("u", "id = 1", &["f", "d", "n"], "0.5, 1e300, 999.99").await;
    for column in ["f", "d", "n"] {
        to.refuses(&format!("INSERT INTO u (id, {column}) VALUES (9, -0.5)"), "23514").await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn bits_keep_their_number_and_their_zeros() {
    let from = MySqlDatabase::create(
        "CREATE TABLE b (id INT NOT NULL PRIMARY KEY, b1 BIT(1), b7 BIT(7), b8 BIT(8), b9 BIT(9), b64 BIT(64), d BIT(5) DEFAULT b'00101');
INSERT INTO b (id, b1, b7, b8, b9, b64) VALUES (1, b'1', b'0000001', b'10000000', b'000000011', b'1'), (2, b'0', b'1000000', 0, b'100000000', 18446744073709551615), (3, NULL, NULL, NULL, NULL, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // N10: the exact width, leading zeros and all.
    to.has_types("b", &[("b1", "bit(1)"), ("b7", "bit(7)"), ("b8", "bit(8)"), ("b9", "bit(9)"), ("b64", "bit(64)")]).await;
    let columns = ["b1", "b7", "b8", "b9", "b64", "d"];
    to.holds("b", "id = 1", &columns, "B'1', B'0000001', B'10000000', B'000000011', 1::bit(64), B'00101'").await;
    to.holds("b", "id = 2", &columns, "B'0', B'1000000', B'00000000', B'100000000', (-1)::bigint::bit(64), B'00101'").await;
    to.holds("b", "id = 3", &columns, "NULL, NULL, NULL, NULL, NULL, B'00101'").await;
    // N10: a truth value, or a number, where the mapping says so.
    let file = MappingFile::new(
        "[[type]]\nmatch = { type = \"bit\", width = 1 }\nto = \"boolean\"\n\n[[table]]\nname = \"b\"\n[table.columns.b9]\nto = \"integer\"\n",
    );
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    to.has_types("b", &[("b1", "boolean"), ("b7", "bit(7)"), ("b9", "integer")]).await;
    to.holds("b", "id = 1", &["b1", "b9"], "true, 3").await;
    to.holds("b", "id = 2", &["b1", "b9"], "false, 256").await;
    to.holds("b", "id = 3", &["b1", "b9"], "NULL, NULL").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn columns_that_a_foreign_key_joins_have_one_type() {
    let from = MySqlDatabase::create(
        "CREATE TABLE p (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, m MEDIUMINT UNSIGNED NOT NULL, UNIQUE (m));
CREATE TABLE c (id INT NOT NULL PRIMARY KEY, p BIGINT UNSIGNED, m MEDIUMINT UNSIGNED, CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p (id), CONSTRAINT c_m FOREIGN KEY (m) REFERENCES p (m));
INSERT INTO p VALUES (1, 16777215), (9000000000, 0);
INSERT INTO c VALUES (1, 9000000000, 16777215), (2, NULL, 0);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let of = |name: &str, column: &str| format!("[[table]]\nname = \"{name}\"\n[table.columns.{column}]\nto = \"bigint\"\n");
    for (file, key) in [(String::new(), "numeric(20,0)"), (of("p", "id"), "bigint"), (of("c", "p"), "bigint")] {
        let file = MappingFile::new(&file);
        report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
        // N3: a rule for one of the two is one for both, so the foreign keys are there, and hold.
        to.has_types("p", &[("id", key), ("m", "integer")]).await;
        to.has_types("c", &[("p", key), ("m", "integer")]).await;
        to.holds("c", "id = 1", &["p", "m"], "9000000000, 16777215").await;
        let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated";
        assert_eq!(to.value(keys).await.as_deref(), Some("2"));
        to.refuses("INSERT INTO c VALUES (3, 2, NULL)", "23503").await;
    }
    from.drop().await;
    to.drop().await;
}
