//! Rows X1 to X5: indexes.

use super::listed::{is_mariadb, lists};
use crate::end_to_end::renames::MappingFile;
use crate::support::ferry::{ferry, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

async fn definition(to: &PostgresDatabase, index: &str) -> String {
    to.value(&format!("SELECT pg_get_indexdef('{index}'::regclass)")).await.unwrap()
}

#[tokio::test]
async fn prefixes_orders_words_and_many_columns_become_what_they_mean() {
    // Sixteen columns of 60 letters: 1,000 letters of names.
    let names: Vec<String> = (0..16).map(|number| format!("{}{number:02}", "n".repeat(58))).collect();
    let columns: Vec<String> = names.iter().map(|name| format!("`{name}` INT NOT NULL DEFAULT 0")).collect();
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE posts (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, title VARCHAR(100) COLLATE utf8mb4_bin, body TEXT COLLATE utf8mb4_bin, raw BLOB, score INT, day DATE,
  KEY title_start (title(10)), KEY raw_start (raw(4)), UNIQUE KEY body_start (body(5)), KEY newest (day DESC, score), FULLTEXT KEY words (title, body), KEY plain (score));
CREATE TABLE wide ({}, KEY all_of_them ({}));
INSERT INTO posts (title, body, raw, score, day) VALUES ('Ärger', 'äöüß1 and more', x'00ff00ff00', 1, '2020-01-01'), (NULL, NULL, NULL, NULL, NULL), ('x', NULL, NULL, NULL, NULL);
INSERT INTO wide () VALUES ();
",
        columns.join(", "),
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    ))
    .await;
    let maria = is_mariadb(&from).await;
    from.run(if maria {
        "ALTER TABLE posts ALTER INDEX plain IGNORED;\n"
    } else {
        "ALTER TABLE posts ALTER INDEX plain INVISIBLE, ADD KEY twice ((score * 2)), ADD KEY low ((lower(title)));\n"
    })
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // X1: the start of a column, in characters of text and in bytes of bytes.
    assert!(definition(&to, "title_start").await.ends_with("USING btree (\"left\"((title)::text, 10))"));
    assert!(
        definition(&to, "raw_start").await.contains("(raw, 1, 4)")
            || definition(&to, "raw_start").await.contains("(raw FROM 1 FOR 4)")
    );
    // X2: a unique start refuses what the source refuses, and takes what it takes.
    assert!(definition(&to, "body_start").await.starts_with("CREATE UNIQUE INDEX body_start"));
    to.refuses("INSERT INTO posts (body) VALUES ('äöüß1 and others')", "23505").await;
    to.run("INSERT INTO posts (body) VALUES ('äöüß2 and more')").await;
    // X4: descending, words, invisible ones, and expressions where the source has them.
    assert!(definition(&to, "newest").await.ends_with("USING btree (day DESC, score)"), "{}", definition(&to, "newest").await);
    assert!(definition(&to, "words").await.contains("USING gin (to_tsvector('simple'::regconfig"));
    lists(&done, "note", "full-text index", &["posts.words", "to_tsquery"]);
    lists(&done, "note", "index", &["posts.plain", "invisible"]);
    if !maria {
        assert!(definition(&to, "twice").await.contains("score"), "{}", definition(&to, "twice").await);
        lists(&done, "not_carried", "index", &["posts.low"]);
    }
    // X5: all sixteen columns, though their names are longer than GROUP_CONCAT's 1,024 bytes.
    let all = format!("USING btree ({})", names.join(", "));
    assert!(definition(&to, "all_of_them").await.ends_with(&all), "{}", definition(&to, "all_of_them").await);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn spatial_indexes_are_made_over_geometries_or_listed() {
    let from = MySqlDatabase::create(
        "CREATE TABLE places (id INT NOT NULL PRIMARY KEY, at POINT NOT NULL, SPATIAL KEY at_shape (at));
INSERT INTO places VALUES (1, ST_GeomFromText('POINT(1 2)'));
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    // X4: without PostGIS the column has no type, which is said first; as bytes it arrives, and its index is listed.
    ferry(&["run", &from.url, &to.url]).code(2).complains(&["places.at", "postgis", "to = \"bytea\""]);
    let file = MappingFile::new("[[table]]\nname = \"places\"\n[table.columns.at]\nto = \"bytea\"\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path()]);
    lists(&done, "not_carried", "spatial index", &["at_shape", "becomes `bytea`"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn entries_that_are_too_long_are_found_first_and_made_over_hashes_if_asked_for() {
    // Noise, since PostgreSQL compresses: the sha2 of a counter, in hexadecimal digits of half a byte each.
    let noise = "CONCAT_WS('', SHA2('a', 512), SHA2('b', 512), SHA2('c', 512), SHA2('d', 512), SHA2('e', 512), SHA2('f', 512))";
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE pages (id INT NOT NULL PRIMARY KEY, url VARCHAR(3000) CHARACTER SET latin1 COLLATE latin1_bin, kind INT NOT NULL DEFAULT 1, KEY by_url (url), KEY by_kind (kind));
CREATE TABLE files (id INT NOT NULL PRIMARY KEY, path VARBINARY(3060) NOT NULL, UNIQUE KEY path (path));
CREATE TABLE flat (id INT NOT NULL PRIMARY KEY, path VARBINARY(3060) NOT NULL, KEY flat_path (path));
INSERT INTO pages (id, url) VALUES (1, 'short'), (2, REPEAT({noise}, 4)), (7, CONCAT(REPEAT({noise}, 3), 'ä'));
INSERT INTO files VALUES (1, 'short'), (2, REPEAT({noise}, 3)), (3, CONCAT(RANDOM_BYTES(1000), RANDOM_BYTES(1000), RANDOM_BYTES(1000)));
INSERT INTO flat VALUES (1, REPEAT('x', 3000));
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    // X3: refused before anything is made, with how many, which, how long, and the lines that settle it.
    let said = ferry(&["run", &from.url, &to.url]).code(2).complains(&[
        "pages.by_url`: 1 row has more than 2688 bytes in the index",
        "the longest has 3000, for example where id = 2",
        "indexes.by_url = \"hash\"",
        "files.path`: ",
        "flat.flat_path",
    ]);
    said.never_says("by_kind");
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    let file = MappingFile::new(
        "[[table]]\nname = \"pages\"\nindexes.by_url = \"hash\"\n[[table]]\nname = \"files\"\nindexes.path = \"hash\"\n[[table]]\nname = \"flat\"\nindexes.flat_path = \"as_is\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    // X3: as chosen: PostgreSQL's own hash index, a unique one over md5, and one that compression makes short enough.
    assert!(definition(&to, "by_url").await.ends_with("USING hash (url)"));
    assert!(definition(&to, "path").await.starts_with("CREATE UNIQUE INDEX path ON public.files USING btree (md5(path))"));
    assert!(definition(&to, "flat_path").await.ends_with("USING btree (path)"));
    to.refuses("INSERT INTO files SELECT 4, path FROM files WHERE id = 3", "23505").await;
    to.run("INSERT INTO files SELECT 4, path || '\\x00'::bytea FROM files WHERE id = 3").await;
    lists(&done, "note", "index", &["pages.by_url", "a hash index, as the mapping says"]);
    lists(&done, "note", "unique index", &["files.path", "md5(\"path\")"]);
    lists(&done, "note", "index", &["flat.flat_path", "made all the same"]);
    // X3: the comparison of the schema knows them.
    ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(1).prints(&["files"]);
    to.run("DELETE FROM files WHERE id = 4").await;
    ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(0).prints(&["as planned"]);
    to.run("DROP INDEX by_url; CREATE INDEX by_kind_2 ON pages (kind)").await;
    ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(1).prints(&["the index `by_url` is missing"]);
    // X3: left out, and listed. A name that is none is refused.
    let file = MappingFile::new(
        "[[table]]\nname = \"pages\"\nindexes.by_url = \"drop\"\n[[table]]\nname = \"files\"\nindexes.PRIMARY = \"hash\"\nindexes.path = \"drop\"\n[[table]]\nname = \"flat\"\nindexes.flat_path = \"drop\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]);
    lists(&done, "not_carried", "index", &["pages.by_url", "left out, as the mapping says"]);
    lists(&done, "not_carried", "primary key", &["no primary key over hashes"]);
    to.refuses("INSERT INTO files VALUES (1, 'x')", "23505").await;
    let file = MappingFile::new("[[table]]\nname = \"pages\"\nindexes.by_urll = \"hash\"\n");
    ferry(&["plan", &from.url, &to.url, "-m", &file.path()])
        .code(2)
        .complains(&["the index `by_urll`", "Did you mean `by_url`?"]);
    from.drop().await;
    to.drop().await;
}
