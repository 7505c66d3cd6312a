//! Dates and times: rows T1 to T10.

use super::{MappingFile, has_nothing, is_maria, losses};
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// A table for each sort of date that is none, so that each is refused for itself.
const NO_DATES: &str = "
CREATE TABLE zero (id INT NOT NULL PRIMARY KEY, d DATE, dt DATETIME, ts TIMESTAMP NULL);
INSERT INTO zero VALUES (1, '2024-01-01', '2024-01-01', '2024-01-01'), (7, '0000-00-00', '0000-00-00', '0000-00-00');
CREATE TABLE partial (id INT NOT NULL PRIMARY KEY, d DATE, dt DATETIME);
INSERT INTO partial VALUES (7, '2024-00-15', '2024-02-00 10:00:00');
CREATE TABLE invalid (id INT NOT NULL PRIMARY KEY, d DATE, dt DATETIME);
INSERT INTO invalid VALUES (7, '2024-02-31', '2023-02-29 10:00:00');
CREATE TABLE year_zero (id INT NOT NULL PRIMARY KEY, d DATE, dt DATETIME);
INSERT INTO year_zero VALUES (7, '0000-01-01', '0000-06-15 10:00:00');
";

#[tokio::test]
async fn dates_that_are_none_are_refused_before_and_while_they_move() {
    let from = MySqlDatabase::create(NO_DATES).await;
    let to = PostgresDatabase::create("").await;
    // The probe tells each column with its count, a key and the lines, and nothing is made.
    let said = ferry(&["run", &from.url, &to.url]).code(2);
    for (place, why) in [
        ("zero.d", "1 value is a zero date, for example where id = 7"),
        ("zero.dt", "1 value is a zero date"),
        ("zero.ts", "1 value is a zero date"),
        ("partial.d", "1 value is a date that no calendar has, for example where id = 7"),
        ("partial.dt", "1 value is a date that no calendar has"),
        ("invalid.d", "1 value is a date that no calendar has"),
        ("invalid.dt", "1 value is a date that no calendar has"),
        ("year_zero.d", "1 value is a date that no calendar has"),
        ("year_zero.dt", "1 value is a date that no calendar has"),
    ] {
        assert!(said.err.contains(&format!("{}.{place}`: {why}", from.name)), "{place}: {}", said.err);
    }
    said.complains(&["[table.columns.d]\nzero_date = \"null\""]);
    has_nothing(&to).await;
    // Without a probe each table fails with the key of the row, and none of its rows is there.
    let done = report(1, &["run", &from.url, &to.url, "--probe", "off"]);
    for (name, value) in
        [("zero", "zero date 0000-00-00"), ("partial", "2024-00-15"), ("invalid", "2024-02-31"), ("year_zero", "0000-01-01")]
    {
        let entry = table(&done, name);
        let error = entry["errors"][0].as_str().unwrap_or_default();
        // T1, T3, T4: refused with table, column, key and the lines, each by its own name.
        assert!(error.contains(&format!("{}.{name}.d` (id = 7)", from.name)) && error.contains(value), "{error}");
        assert!(error.contains(&format!("name = \"{name}\"\n[table.columns.d]\nzero_date = \"null\"")), "{error}");
        assert_eq!(entry["outcome"], "failed");
        assert_eq!(to.value(&format!("SELECT count(*) FROM {name}")).await.as_deref(), Some("0"));
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn each_sort_of_date_that_is_none_has_its_own_count() {
    let from = MySqlDatabase::create(NO_DATES).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[type]]\nmatch = { type = \"date\" }\nzero_date = \"null\"\n\n[[type]]\nmatch = { type = \"datetime\" }\nzero_date = \"1000-01-01\"\n\n[[type]]\nmatch = { type = \"timestamp\" }\nzero_date = \"-infinity\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    // T1: counted per column.
    assert_eq!(losses(&done, "zero"), ["d zero_date null 1", "dt zero_date a fixed date 1", "ts zero_date -infinity 1"]);
    to.holds("zero", "id = 7", &["d", "dt", "ts"], "NULL, '1000-01-01', '-infinity'").await;
    to.holds("zero", "id = 1", &["d", "dt", "ts"], "'2024-01-01', '2024-01-01', '2024-01-01 00:00:00Z'").await;
    // T3: the same policy, with a count of its own.
    assert_eq!(losses(&done, "partial"), ["d partial_date null 1", "dt partial_date a fixed date 1"]);
    to.holds("partial", "id = 7", &["d", "dt"], "NULL, '1000-01-01'").await;
    // T4: so have days that the calendar does not have, and the year 0, which PostgreSQL does not have.
    assert_eq!(losses(&done, "invalid"), ["d invalid_date null 1", "dt invalid_date a fixed date 1"]);
    assert_eq!(losses(&done, "year_zero"), ["d invalid_date null 1", "dt invalid_date a fixed date 1"]);
    to.holds("year_zero", "id = 7", &["d", "dt"], "NULL, '1000-01-01'").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn impossible_dates_are_rejected_with_key_and_value() {
    let from = MySqlDatabase::create(NO_DATES).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nmatch = \".*\"\non_error = \"reject\"\n");
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path()]);
    for name in ["zero", "partial", "invalid", "year_zero"] {
        assert_eq!((&table(&done, name)["outcome"], &table(&done, name)["rejected"]), (&"rejected".into(), &1.into()), "{name}");
    }
    // T4: the reject names column, key and value.
    ferry(&["rejects", done["run"].as_str().unwrap(), &to.url]).code(0).prints(&[
        "public.invalid.d  (id = 7)  2024-02-31",
        "public.year_zero.d  (id = 7)  0000-01-01",
        "public.partial.d  (id = 7)  the partial date 2024-00-15",
    ]);
    assert_eq!(to.value("SELECT count(*) FROM zero").await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_zero_date_in_a_column_that_is_not_null_costs_no_row() {
    let from = MySqlDatabase::create(
        "CREATE TABLE z (id INT NOT NULL PRIMARY KEY, d DATE NOT NULL, ts TIMESTAMP NOT NULL DEFAULT '2024-01-01 00:00:00');
INSERT INTO z VALUES (1, '2024-02-29', '2024-02-29 10:00:00'), (2, '0000-00-00', '0000-00-00 00:00:00'), (3, '0000-00-00', '2024-02-29 10:00:00');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let not_null = "SELECT string_agg(attname || ' ' || attnotnull, ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'z'::regclass AND attnum > 1";
    // T2: counted before anything moves, with both ways out.
    ferry(&["run", &from.url, &to.url]).code(2).complains(&[
        ".z.d`: 2 values are zero dates, for example where id = ",
        "zero_date = \"null\"\nnullable = true  # drops NOT NULL; or instead of both:\n# zero_date = \"1970-01-01\"",
    ]);
    has_nothing(&to).await;
    let file = MappingFile::new("[[table]]\nname = \"z\"\nzero_date = \"null\"\n");
    ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2).complains(&["would put NULL into a column that is NOT NULL"]);
    has_nothing(&to).await;
    // T2: NOT NULL goes where that is said, and stands where a date stands in.
    let file = MappingFile::new(
        "[[table]]\nname = \"z\"\n[table.columns.d]\nzero_date = \"null\"\nnullable = true\n[table.columns.ts]\nzero_date = \"1970-01-01\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(losses(&done, "z"), ["d zero_date null 2", "ts zero_date a fixed date 1"]);
    assert_eq!(to.value(not_null).await.as_deref(), Some("d false, ts true"));
    to.holds("z", "id = 1", &["d", "ts"], "'2024-02-29', '2024-02-29 10:00:00Z'").await;
    to.holds("z", "id = 2", &["d", "ts"], "NULL, '1970-01-01 00:00:00Z'").await;
    to.holds("z", "id = 3", &["d", "ts"], "NULL, '2024-02-29 10:00:00Z'").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_wall_clock_becomes_an_instant_only_in_a_zone_that_is_named() {
    // 2024-03-31 02:30 is shown by no clock in Berlin, and 2024-10-27 02:30 twice.
    let from = MySqlDatabase::create(
        "CREATE TABLE meetings (id INT NOT NULL PRIMARY KEY, at DATETIME(3));
INSERT INTO meetings VALUES (1, '2024-01-15 12:00:00.250'), (2, '2024-07-15 12:00:00'), (3, NULL);
CREATE TABLE skipped (id INT NOT NULL PRIMARY KEY, at DATETIME);
INSERT INTO skipped VALUES (6, '2024-03-31 01:59:59'), (7, '2024-03-31 02:30:00');
CREATE TABLE twice (id INT NOT NULL PRIMARY KEY, at DATETIME);
INSERT INTO twice VALUES (6, '2024-10-27 03:00:00'), (8, '2024-10-27 02:30:00');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // T6: a reading stays a reading, also one that some zone does not have.
    to.has_types("meetings", &[("at", "timestamp(3) without time zone")]).await;
    to.holds("meetings", "id = 1", &["at"], "timestamp '2024-01-15 12:00:00.25'").await;
    to.holds("skipped", "id = 7", &["at"], "timestamp '2024-03-31 02:30:00'").await;
    to.holds("twice", "id = 8", &["at"], "timestamp '2024-10-27 02:30:00'").await;
    // T6: an instant is refused without a zone, with the lines that name one.
    let file = MappingFile::new("[[table]]\nname = \"meetings\"\n[table.columns.at]\nto = \"timestamptz(3)\"\n");
    ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]).code(2).complains(&[
        "meetings.at`: `datetime(3)` cannot become `timestamp(3) with time zone`",
        "only with a declared time zone",
        "expr = \"at AT TIME ZONE 'UTC'\"  # or the zone whose readings they are",
    ]);
    let expression = "\"at AT TIME ZONE 'Europe/Berlin'\"";
    let file = MappingFile::new(&format!(
        "[[table]]\nmatch = \".*\"\n[table.columns.at]\nto = \"timestamptz(3)\"\nexpr = {expression}\n"
    ));
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    to.has_types("meetings", &[("at", "timestamp(3) with time zone")]).await;
    to.holds("meetings", "id = 1", &["at"], "timestamptz '2024-01-15 11:00:00.25Z'").await;
    to.holds("meetings", "id = 2", &["at"], "timestamptz '2024-07-15 10:00:00Z'").await;
    for (name, id) in [("skipped", 7), ("twice", 8)] {
        // T6: a reading of no instant, or of two, is refused with its key.
        let error = table(&done, name)["errors"][0].as_str().unwrap_or_default().to_string();
        assert!(error.contains(&format!("{name}.at` (id = {id})")) && error.contains("never, or twice"), "{error}");
        assert_eq!(to.value(&format!("SELECT count(*) FROM {name}")).await.as_deref(), Some("0"));
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn each_number_of_digits_of_the_second_is_kept() {
    let columns = |kind: &str, null: &str| (0..=6).map(|fsp| format!(", {kind}{fsp} {kind}({fsp}) {null}")).collect::<String>();
    let values = |start: &str| {
        let digits = ["", ".9", ".98", ".987", ".9876", ".98765", ".987654"];
        digits.iter().map(|digits| format!(", '{start}{digits}'")).collect::<String>()
    };
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY{}{}{});
INSERT INTO t VALUES (1{}{}{});
INSERT INTO t VALUES (2{}{}{});
",
        columns("datetime", "NULL"),
        columns("timestamp", "NULL"),
        columns("time", "NULL"),
        values("9999-12-31 23:59:58"),
        values("2038-01-19 03:14:06"),
        values("-838:59:58"),
        values("1000-01-01 00:00:00"),
        values("1970-01-01 00:00:01"),
        values("100:00:00"),
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    for fsp in 0..=6 {
        // T7: the digits that the type declares, and each of them.
        to.has_types(
            "t",
            &[
                (&format!("datetime{fsp}"), &format!("timestamp({fsp}) without time zone")),
                (&format!("timestamp{fsp}"), &format!("timestamp({fsp}) with time zone")),
                (&format!("time{fsp}"), &format!("interval({fsp})")),
            ],
        )
        .await;
        let digits = ".987654".get(..if fsp == 0 { 0 } else { fsp + 1 }).unwrap();
        let names = [format!("datetime{fsp}"), format!("timestamp{fsp}"), format!("time{fsp}")];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let first = format!("'9999-12-31 23:59:58{digits}', '2038-01-19 03:14:06{digits}Z', '-838:59:58{digits}'");
        to.holds("t", "id = 1", &names, &first).await;
        let second = format!("'1000-01-01 00:00:00{digits}', '1970-01-01 00:00:01{digits}Z', '100:00:00{digits}'");
        to.holds("t", "id = 2", &names, &second).await;
    }
    // T7: fewer digits are a choice that each value must allow.
    let file = MappingFile::new("[[table]]\nname = \"t\"\n[table.columns.datetime6]\nto = \"timestamp(3)\"\n");
    let failed = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]);
    let error = table(&failed, "t")["errors"][0].as_str().unwrap_or_default().to_string();
    assert!(error.contains("t.datetime6` (id = 1)") && error.contains("more digits of fraction"), "{error}");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_time_is_a_time_of_day_only_where_every_value_is_one() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, day TIME(2), long_one TIME(6), negative TIME, midnight TIME);
INSERT INTO t VALUES (1, '00:00:00', '838:59:59.999999', '-00:00:01', '24:00:00'), (2, '23:59:59.99', '-838:59:59.999999', '10:00:00', '00:00:00'), (3, NULL, NULL, NULL, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // T8: the probe proves one column, and the others keep their length of time.
    let types = [
        ("day", "time(2) without time zone"),
        ("long_one", "interval(6)"),
        ("negative", "interval(0)"),
        ("midnight", "interval(0)"),
    ];
    to.has_types("t", &types).await;
    let columns = ["day", "long_one", "negative", "midnight"];
    // MySQL keeps no fraction at the very end.
    let end = if is_maria(&from).await { "838:59:59.999999" } else { "838:59:59" };
    to.holds("t", "id = 1", &columns, &format!("'00:00:00', '{end}', '-00:00:01', '24:00:00'")).await;
    to.holds("t", "id = 2", &columns, &format!("'23:59:59.99', '-{end}', '10:00:00', '00:00:00'")).await;
    to.holds("t", "id = 3", &columns, "NULL, NULL, NULL, NULL").await;
    // T8: what is not proven takes the wide form.
    for how in ["off", "sample"] {
        report(0, &["run", &from.url, &to.url, "--if-exists", "drop", "--probe", how]);
        to.has_types("t", &[("day", "interval(2)")]).await;
    }
    // T8: a time of day that is asked for is refused, with its count and the line.
    let asked = "[[table]]\nname = \"t\"\n[table.columns]\nday = { to = \"time(2)\" }\nlong_one = { to = \"time(6)\" }\nmidnight = { to = \"time(0)\" }\n";
    let file = MappingFile::new(asked);
    ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]).code(2).complains(&[
        ".t.long_one`: 2 values lie outside of a day, for example where id = ",
        ".t.midnight`: 1 value lies outside of a day, for example where id = 1",
        "[table.columns.midnight]\nto = \"interval\"",
    ]);
    let failed = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--probe", "off"]);
    let error = table(&failed, "t")["errors"][0].as_str().unwrap_or_default().to_string();
    assert!(error.contains("(id = 1)") && error.contains("out_of_range = \"clamp\""), "{error}");
    // T8: under a policy the nearest time, or NULL, each counted.
    let file = MappingFile::new(
        &asked
            .replace("\"time(6)\"", "\"time(6)\", out_of_range = \"clamp\"")
            .replace("\"time(0)\"", "\"time(0)\", out_of_range = \"null\""),
    );
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"])
        .code(0)
        .prints(&["2 values lie outside of a day", "they become the nearest value that the type holds by `out_of_range`"]);
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    assert_eq!(losses(&done, "t"), ["long_one out_of_range clamp 2", "midnight out_of_range null 1"]);
    to.has_types("t", &[("long_one", "time(6) without time zone"), ("midnight", "time(0) without time zone")]).await;
    to.holds("t", "id = 1", &["long_one", "midnight"], "'23:59:59.999999', NULL").await;
    to.holds("t", "id = 2", &["long_one", "midnight"], "'00:00:00', '00:00:00'").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_standing_column_of_times_of_day_is_told_what_settles_it() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, span TIME NOT NULL);
INSERT INTO t VALUES (1, '08:30:00'), (2, '25:00:00'), (3, '-01:00:00');
",
    )
    .await;
    let to = PostgresDatabase::create("CREATE TABLE t (id int PRIMARY KEY, span time NOT NULL)").await;
    // T8: the lines are ones that the standing type can follow.
    let line = "[table.columns.span]\nout_of_range = \"clamp\"";
    ferry(&["run", &from.url, &to.url, "--tables", "existing"])
        .code(2)
        .complains(&["2 values lie outside of a day, for example where id = ", line]);
    assert_eq!(to.value("SELECT count(*) FROM t").await.as_deref(), Some("0"));
    let file = MappingFile::new(&format!("[[table]]\nname = \"t\"\n{line}\n"));
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--tables", "existing"]);
    assert_eq!(losses(&done, "t"), ["span out_of_range clamp 2"]);
    assert_eq!(
        to.value("SELECT string_agg(span::text, ' ' ORDER BY id) FROM t").await.as_deref(),
        Some("08:30:00 23:59:59.999999 00:00:00")
    );
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn years_stay_numbers() {
    let from = MySqlDatabase::create(
        "CREATE TABLE y (id INT NOT NULL PRIMARY KEY, y YEAR, n YEAR NOT NULL DEFAULT 1999);
INSERT INTO y VALUES (1, 0, 0), (2, 1901, 2155), (3, '70', '69'), (4, '0', '2000'), (5, NULL, 2000);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.has_types("y", &[("y", "smallint"), ("n", "smallint")]).await;
    // T9: 0000 stays 0, and the server has made four digits of two when they were written.
    for (id, values) in [(1, "0, 0"), (2, "1901, 2155"), (3, "1970, 2069"), (4, "2000, 2000"), (5, "NULL, 2000")] {
        to.holds("y", &format!("id = {id}"), &["y", "n"], values).await;
    }
    to.run("INSERT INTO y (id) VALUES (9)").await;
    to.holds("y", "id = 9", &["y", "n"], "NULL, 1999").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn defaults_of_dates_are_translated_or_told() {
    let from = MySqlDatabase::create(
        "CREATE TABLE d (id INT NOT NULL PRIMARY KEY,
  now6 DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), now0 TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, ts3 TIMESTAMP(3) NOT NULL DEFAULT NOW(3),
  fixed DATETIME(3) DEFAULT '2024-02-29 10:11:12.345', day DATE DEFAULT '2024-02-29', long_one TIME DEFAULT '-26:00:00', y YEAR DEFAULT 0,
  zero_day DATE NOT NULL DEFAULT '0000-00-00', zero_ts TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00', zero_dt DATETIME DEFAULT '0000-00-00 00:00:00');
INSERT INTO d (id, zero_day, zero_ts, zero_dt) VALUES (1, '2024-01-01', '2024-01-01', NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.run("INSERT INTO d (id, zero_day, zero_ts) VALUES (2, '2024-01-01', '2024-01-01')").await;
    // T10: the functions are functions, with their digits.
    let recent =
        "SELECT abs(extract(epoch FROM timezone('UTC', now()) - now6)) < 90 AND abs(extract(epoch FROM now() - now0)) < 90
        AND abs(extract(epoch FROM now() - ts3)) < 90 FROM d WHERE id = 2";
    assert_eq!(to.value(recent).await.as_deref(), Some("true"));
    let columns = ["fixed", "day", "long_one", "y", "zero_dt"];
    to.holds("d", "id = 2", &columns, "'2024-02-29 10:11:12.345', '2024-02-29', '-26:00:00', 0, NULL").await;
    // T10: a zero default is dropped, with a note for each, and NOT NULL stays.
    let notes: Vec<&str> = done["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["object"] == "default")
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(notes, ["public.d.zero_day", "public.d.zero_ts", "public.d.zero_dt"], "{:#}", done["problems"]);
    to.refuses("INSERT INTO d (id) VALUES (3)", "23502").await;
    from.drop().await;
    to.drop().await;
}
