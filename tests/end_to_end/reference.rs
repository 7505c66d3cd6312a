//! `docs/mapping.md`: it names every key of a mapping file, and every mapping in it is one that `check` and `plan` accept.

use std::path::Path;

use serde_json::Value;

use super::renames::MappingFile;
use crate::support::ferry::{command, ferry_with, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// What the mappings on the page are about.
const SHOP: &str = "CREATE TABLE customers (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(190) NOT NULL, full_name VARCHAR(100), phone VARCHAR(24), iban VARCHAR(34),
  born DATE, is_active TINYINT(1) NOT NULL, password_hash CHAR(60), notes TEXT, street VARCHAR(100), city VARCHAR(60), code VARCHAR(10), created_at DATETIME NOT NULL, UNIQUE KEY by_email (email));
CREATE TABLE orders (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL, state ENUM('cart','paid') NOT NULL, total DECIMAL(10,2) NOT NULL, tax INT NOT NULL,
  gross DECIMAL(12,2) GENERATED ALWAYS AS (total * 2) STORED, note TEXT, placed_at DATETIME NOT NULL,
  shipped_on DATE, quantity INT, payload JSON, name VARCHAR(60) CHARACTER SET latin1, token BINARY(16), FULLTEXT KEY by_note (note), CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE orders_eu (id INT NOT NULL PRIMARY KEY, total DECIMAL(10,2));
CREATE TABLE orders_us (id INT NOT NULL PRIMARY KEY, total DECIMAL(10,2));
CREATE TABLE shop_items (id INT NOT NULL PRIMARY KEY);
CREATE TABLE products (id INT NOT NULL PRIMARY KEY, embedding JSON);
CREATE TABLE sessions (id INT NOT NULL PRIMARY KEY);
CREATE TABLE tmp_import (id INT NOT NULL PRIMARY KEY);
CREATE TABLE pages (id INT NOT NULL PRIMARY KEY, url VARCHAR(3000) CHARACTER SET ascii, KEY by_url (url));
INSERT INTO customers (id, email, is_active, street, city, created_at) SELECT seq, CONCAT('p', seq, '@x'), 1, 's', 'c', '2024-01-01' FROM seq_1_to_500;
INSERT INTO orders (id, customer_id, state, total, tax, placed_at) SELECT seq, 1 + seq % 500, 'paid', seq, 20, '2024-01-01' FROM seq_1_to_600;
INSERT INTO orders_eu VALUES (1, 1);
INSERT INTO orders_us VALUES (1, 1);
INSERT INTO products VALUES (1, '[1, 2]');
";

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mapping.md");
    std::fs::read_to_string(path).expect("the reference of the mapping file")
}

/// The blocks of a page that are mappings, each with its line.
fn mappings(page: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (line, text) in page.lines().enumerate() {
        if text.starts_with("```") {
            inside = text == "```toml";
            if inside {
                blocks.push((line + 1, String::new()));
            }
        } else if let Some((_, block)) = blocks.last_mut().filter(|_| inside) {
            block.push_str(text);
            block.push('\n');
        }
    }
    blocks
}

#[test]
fn every_key_and_word_of_a_mapping_file_is_named() {
    let (page, schema) = (page(), dbferry::config::schema::mapping_schema());
    let keys = |node: &Value| node["properties"].as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default();
    let mut names: Vec<String> = keys(&schema);
    for definition in schema["definitions"].as_object().unwrap().values() {
        names.extend::<Vec<String>>(keys(definition));
        let words = definition["oneOf"].as_array().into_iter().flatten();
        names.extend(words.filter_map(|word| Some(word["const"].as_str()?.to_string())));
    }
    assert!(names.len() > 60, "{names:?}");
    // In code, be it a table's head, a key, or a word.
    let code = |name: &str| {
        [
            format!("`{name}`"),
            format!("[[{name}]]"),
            format!("[{name}]"),
            format!("{name} = "),
            format!("\"{name}\""),
            format!("`{name}:"),
        ]
        .iter()
        .chain([&format!("| {name}"), &format!("{name} |"), &format!("{name} (default)")])
        .any(|written| page.contains(written.as_str()))
    };
    let missing: Vec<&String> = names.iter().filter(|name| !code(name)).collect();
    assert!(missing.is_empty(), "docs/mapping.md does not name {missing:?}");
}

#[tokio::test]
async fn every_mapping_on_the_page_can_be_checked_and_planned() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let page = page();
    let mappings = mappings(&page);
    assert!(mappings.len() > 12);
    for (line, text) in mappings {
        let file = MappingFile::new(&text);
        let key = ("DBFERRY_MASK_KEY", "0123456789abcdef");
        let checked = finish(command(&["check", &file.path()]).env(key.0, key.1).spawn().unwrap());
        assert_eq!(checked.code, 0, "docs/mapping.md:{line}:\n{}", checked.err);
        let planned = ferry_with(key.0, key.1, &["plan", &from.url, &to.url, "-m", &file.path()]);
        assert_eq!(planned.code, 0, "docs/mapping.md:{line}:\n{text}\n{}\n{}", planned.out, planned.err);
    }
    from.drop().await;
    to.drop().await;
}
