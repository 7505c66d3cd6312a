//! Expressions of checks and generated columns: what MariaDB or MySQL computes, and what PostgreSQL computes of the translation.

use dbferry::engine::Dialect;
use dbferry::engine::mysql::MySqlDialect;
use dbferry::engine::mysql::typemap::parse::native_type;
use dbferry::engine::postgres::expression::print;
use dbferry::engine::postgres::typemap::PostgresDialect;
use dbferry::model::ObjectName;
use dbferry::model::catalog::{Column, Table};
use dbferry::model::expression::Class;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use sqlx::{AssertSqlSafe, Row};

use crate::support::{MySqlDatabase, PostgresDatabase};

/// Name, type in MySQL, type in PostgreSQL, collation.
const COLUMNS: &[(&str, &str, &str, Option<&str>)] = &[
    ("i", "int(11)", "integer", None),
    ("j", "tinyint(4)", "smallint", None),
    ("u", "int(10) unsigned", "bigint", None),
    ("g", "bigint(20)", "bigint", None),
    ("m", "decimal(10,2)", "numeric(10,2)", None),
    ("n", "decimal(20,9)", "numeric(20,9)", None),
    ("f", "double", "double precision", None),
    ("r", "float", "real", None),
    ("t", "varchar(20)", "varchar(20)", Some("utf8mb4_general_ci")),
    ("b", "varchar(20)", "varchar(20)", Some("utf8mb4_bin")),
    ("c", "char(8)", "char(8)", Some("utf8mb4_bin")),
    ("d", "date", "date", None),
    ("s", "datetime(3)", "timestamp(3)", None),
    ("e", "enum('new','Paid','it''s')", "enum", Some("utf8mb4_general_ci")),
    ("k", "tinyint(1)", "boolean", None),
];

const ROWS: &[&str] = &[
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "0, 0, 0, 0, 0, 0, 0, 0, '', '', '', '2000-01-01', '2000-01-01 00:00:00', 'new', 0",
    "1, -1, 3, 7, 0.05, 0.333333333, 0.5, 1.5, 'New', 'New', 'New', '1999-12-31', '2024-02-29 23:59:59.999', 'Paid', 1",
    "-7, 3, 2, -2, -12.50, -1.000000001, -2.25, 0.1, 'paid ', 'paid ', 'paid', '2024-02-29', '1970-01-01 00:00:01', 'it''s', 1",
    "5, NULL, 10, 9007199254740993, 99999999.99, 1.5, 1e10, -3.75, 'a%b_c', 'ä ö', 'x y', '0001-01-01', '9999-12-31 12:30:00.5', 'new', 0",
    "2147483647, 127, 4294967295, -9007199254740993, 2.50, 12345678901.123456789, NULL, NULL, 'ÄB', 'äB', 'z', NULL, NULL, NULL, NULL",
    "-3, -128, 1, 1, -0.01, NULL, 0.1, 0.1, '  x', '  x', NULL, '2023-03-31', '2023-03-31 08:00:00', 'Paid', 1",
];

fn table() -> Table {
    let columns = COLUMNS.iter().map(|(name, native, _, collation)| {
        let mut native = native_type(native).expect("a known type");
        native.collation = collation.map(str::to_string);
        native.charset = collation.map(|_| "utf8mb4".to_string());
        column(name, native)
    });
    Table { columns: columns.collect(), ..Table::new(ObjectName::new("", "t")) }
}

fn target() -> Table {
    let source = table();
    let columns = COLUMNS.iter().map(|(name, _, native, _)| {
        let mut native = PostgresDialect.parse_type(native).expect("a known type");
        native.labels = source.column(name).expect("the column").native.labels.clone();
        column(name, native)
    });
    Table { columns: columns.collect(), ..Table::new(ObjectName::new("", "t")) }
}

fn column(name: &str, native: dbferry::model::catalog::NativeType) -> Column {
    Column::new(name, None, native)
}

async fn databases() -> (MySqlDatabase, PostgresDatabase) {
    let of = |at: usize| {
        COLUMNS
            .iter()
            .map(|column| {
                let collation = column.3.filter(|_| at == 1).map(|name| format!(" COLLATE {name}")).unwrap_or_default();
                let native = if at == 1 { column.1 } else { column.2 };
                let native = if at == 2 && native == "enum" { "label" } else { native };
                format!("{} {native}{collation}", column.0)
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    let rows = |boolean: bool| {
        let rows = ROWS.iter().enumerate().map(|(id, row)| {
            let row = match (boolean, row.rsplit_once(", ")) {
                (true, Some((rest, "0"))) => format!("{rest}, false"),
                (true, Some((rest, "1"))) => format!("{rest}, true"),
                _ => (*row).to_string(),
            };
            format!("({id}, {row})")
        });
        rows.collect::<Vec<_>>().join(", ")
    };
    let source = format!("CREATE TABLE t (id INT PRIMARY KEY, {});\nINSERT INTO t VALUES {};\n", of(1), rows(false));
    let target = format!(
        "CREATE TYPE label AS ENUM ('new', 'Paid', 'it''s'); CREATE TABLE t (id INT PRIMARY KEY, {}); INSERT INTO t VALUES {}",
        of(2),
        rows(true)
    );
    (MySqlDatabase::create(&source).await, PostgresDatabase::create(&target).await)
}

/// What of an expression is compared: text and times as they print, numbers by their value.
fn shown(class: Class, sql: &str, mysql: bool) -> String {
    match (class, mysql) {
        (Class::Bool, true) => format!("({sql}) <> 0"),
        (Class::Bool, false) => format!("({sql})::int"),
        (Class::Exact, true) => format!("CAST(({sql}) AS DECIMAL(60,20))"),
        (Class::Exact, false) => format!("({sql})::numeric(60,20)"),
        (Class::Float, true) => format!("CAST(({sql}) AS DOUBLE)"),
        (Class::Float, false) => format!("({sql})::double precision"),
        (Class::Timestamp, true) => format!("DATE_FORMAT({sql}, '%Y-%m-%d %H:%i:%s.%f')"),
        (Class::Timestamp, false) => format!("to_char({sql}, 'YYYY-MM-DD HH24:MI:SS.US')"),
        (_, true) => format!("CAST(({sql}) AS CHAR)"),
        (_, false) => format!("({sql})::text"),
    }
}

fn agree(class: Class, left: Option<&str>, right: Option<&str>) -> bool {
    match (class, left, right) {
        (Class::Float, Some(left), Some(right)) => {
            let (left, right): (f64, f64) = (left.parse().expect("a float"), right.parse().expect("a float"));
            left.to_bits() == right.to_bits() || left == right
        }
        _ => left == right,
    }
}

/// Expressions that are compared; those that the source refuses to compute are left out.
async fn compare(expressions: &[String]) -> usize {
    let (from, to) = databases().await;
    let (mut source, mut sink) = (from.connect().await, to.connect().await);
    let features = ["icu".to_string()];
    let mut compared = 0;
    for sql in expressions {
        let understood = match MySqlDialect.understand(&table(), sql) {
            Ok(understood) => understood,
            Err(_) => continue,
        };
        let printed = print(&understood.tree, &target(), &features).unwrap_or_else(|why| panic!("{why}\nin: {sql}"));
        let class = understood.class;
        let ask = format!("SELECT CAST({} AS CHAR) FROM t ORDER BY id", shown(class, sql, true));
        let Ok(expected) = sqlx::raw_sql(AssertSqlSafe(ask)).fetch_all(&mut source).await else { continue };
        let ask = format!("SELECT ({})::text FROM t ORDER BY id", shown(class, &printed.sql, false));
        let found = sqlx::raw_sql(AssertSqlSafe(ask)).fetch_all(&mut sink).await;
        let found = found.unwrap_or_else(|error| panic!("{error}\nin: {sql}\nas: {}", printed.sql));
        for (row, (left, right)) in expected.iter().zip(&found).enumerate() {
            let left: Option<Vec<u8>> = left.try_get_unchecked(0).expect("text");
            let left = left.map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
            let right: Option<String> = right.get(0);
            assert!(
                agree(class, left.as_deref(), right.as_deref()),
                "row {row}: {left:?} in the source, {right:?} in the target\nof: {sql}\nas: {}",
                printed.sql
            );
        }
        compared += 1;
    }
    from.drop().await;
    to.drop().await;
    compared
}

#[tokio::test]
async fn each_form_of_expression_means_the_same_in_both() {
    let forms = [
        "`i` > 0",
        "`i` between -7 and 5",
        "`i` not in (1, 5)",
        "`k`",
        "not `k`",
        "`k` and `i` > 0",
        "`k` = 1",
        "`k` + 1",
        "`j` or `i`",
        "(`i` > 0) xor (`j` > 0)",
        "`i` is null",
        "`t` is not null",
        "`i` <=> `j`",
        "`g` DIV 3",
        "`i` % 4",
        "`m` % 0.3",
        "`i` DIV `j`",
        "mod(`i`, `j`)",
        "-`i`",
        "`m` * `n`",
        "`m` + `i` - `n`",
        "`u` * 2",
        "abs(`m`)",
        "round(`m`, 1)",
        "round(`n`)",
        "truncate(`n`, 3)",
        "floor(`m`)",
        "ceiling(`m`)",
        "`f` + `r`",
        "`r` = 0.1",
        "`f` > `m`",
        "`f` * 1e3",
        "`f` / `r`",
        "greatest(`i`, `j`, `m`)",
        "least(`i`, `j`)",
        "`t` = 'new'",
        "`t` in ('NEW', 'Paid')",
        "`t` <> 'paid'",
        "`b` = 'paid'",
        "`b` = `c`",
        "`c` <=> 'x y'",
        "`t` like 'a\\%b%'",
        "`t` like 'N_w'",
        "`b` like '%B'",
        "`e` = 'paid'",
        "`e` in ('NEW', 'it''s')",
        "'paid' = `e`",
        "`e` = _utf8mb4'new'",
        "concat(`t`, '-', `b`)",
        "concat(`e`, `i`)",
        "char_length(`b`)",
        "length(`b`)",
        "length(`c`)",
        "char_length(`c`)",
        "lower(`b`)",
        "trim(`b`)",
        "ltrim(`t`)",
        "rtrim(`t`)",
        "left(`b`, 3)",
        "right(`b`, 2)",
        "substr(`b`, 2)",
        "substring(`b`, 2, 1)",
        "replace(`b`, 'a', 'bb')",
        "replace(`c`, ' ', '')",
        "year(`d`)",
        "month(`s`)",
        "dayofmonth(`d`)",
        "quarter(`d`)",
        "hour(`s`)",
        "minute(`s`)",
        "date(`s`)",
        "`d` < `s`",
        "`d` >= '2000-01-01'",
        "`s` between '1999-01-01' and '2024-02-29 23:59:59.999'",
        "if(`i` > 0, 'p', 'n')",
        "ifnull(`i`, 9)",
        "coalesce(`j`, `i`, 0)",
        "nullif(`i`, 5)",
        "nullif(`m`, 0)",
        "case when `i` > 0 then `m` when `j` > 0 then 1 else 0 end",
        "case `t` when 'new' then 1 else 2 end",
        "case `i` when 1 then 'a' end",
        "coalesce(`e`, 'none')",
        "isnull(`t`)",
        "(`i` > 0) is true",
        "cast(`m` as signed)",
        "cast(`s` as date)",
        "cast(`i` as char)",
        "`i` > 0 and (`j` > 0 or `m` is null)",
        "not (`i` > 0 and `j` > 0)",
        "(`i` > 1) + (`j` > 1)",
        "`i` = '5'",
        "`t` is null = 1",
        "`t` = 'paid' collate utf8mb4_bin",
        "`d` <> date'2000-01-01'",
        "-`m` * -1.5",
        "`i` + 1.50 = 2.5",
        "`m` * 0.1 * 0.1",
    ];
    let forms: Vec<String> = forms.iter().map(ToString::to_string).collect();
    let unread: Vec<(&String, String)> =
        forms.iter().filter_map(|sql| Some((sql, MySqlDialect.understand(&table(), sql).err()?))).collect();
    assert!(unread.is_empty(), "{unread:#?}");
    assert_eq!(compare(&forms).await, forms.len());
}

/// Random expressions: numbers, conditions and texts, one in another.
fn any_expression() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        prop::sample::select(vec!["`i`", "`j`", "`g`", "`m`", "`n`", "`k`", "`f`", "`r`", "`u`"]).prop_map(str::to_string),
        (-20i32..20).prop_map(|number| if number < 0 { format!("({number})") } else { number.to_string() }),
        prop::sample::select(vec!["0.5", "2.25", "100", "0", "1e1"]).prop_map(str::to_string),
    ];
    let text = prop_oneof![
        prop::sample::select(vec!["`t`", "`b`", "`c`", "`e`"]).prop_map(str::to_string),
        prop::sample::select(vec!["'new'", "'Paid '", "''", "'x y'", "'it''s'"]).prop_map(str::to_string),
    ];
    let day = prop::sample::select(vec!["`d`", "`s`", "'2000-01-01'", "'2024-02-29 10:00:00'"]).prop_map(str::to_string);
    let leaf = prop_oneof![4 => number, 2 => text, 1 => day];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%", "DIV"]))
                .prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            (two.clone(), prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">=", "<=>"]))
                .prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            (two.clone(), prop::sample::select(vec!["and", "or", "xor"])).prop_map(|((a, b), op)| format!("(({a}) {op} ({b}))")),
            inner.clone().prop_map(|a| format!("(not {a})")),
            inner.clone().prop_map(|a| format!("({a} is null)")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("if({a}, {b}, {c})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} between {b} and {c})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} in ({b}, {c}))")),
            (two.clone(), prop::sample::select(vec!["ifnull", "coalesce", "nullif", "greatest", "least", "concat"]))
                .prop_map(|((a, b), name)| format!("{name}({a}, {b})")),
            (
                inner.clone(),
                prop::sample::select(vec!["abs", "floor", "ceiling", "round", "char_length", "trim", "year", "date", "-"])
            )
                .prop_map(|(a, name)| format!("{name}({a})")),
            (inner, 0u8..4).prop_map(|(a, digits)| format!("round({a}, {digits})")),
        ]
    })
}

#[tokio::test]
async fn random_expressions_mean_the_same_in_both() {
    let wanted: usize = std::env::var("DBFERRY_EXPRESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let mut runner = TestRunner::new(Config::default());
    let mut expressions = Vec::new();
    for _ in 0..wanted * 200 {
        let sql = any_expression().new_tree(&mut runner).expect("an expression").current();
        if sql.len() > 5 && MySqlDialect.understand(&table(), &sql).is_ok() {
            expressions.push(sql);
        }
        if expressions.len() == wanted {
            break;
        }
    }
    let compared = compare(&expressions).await;
    assert!(compared * 2 > wanted, "only {compared} of {wanted} were compared");
}
