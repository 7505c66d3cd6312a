//! One database with the worst of everything, carried as a person would: nothing is lost between what arrives and what is listed.

use serde_json::Value;

use super::listed::lists;
use crate::support::ferry::report;
use crate::support::{MySqlDatabase, PostgresDatabase};

/// `#` stands for 60 letters.
const WORST: &str = r##"SET foreign_key_checks = 0;
CREATE TABLE `plain` (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(10)) COMMENT='it''s "quoted" \\ back $$ dollar';
CREATE TABLE `Plain` (ID INT NOT NULL AUTO_INCREMENT PRIMARY KEY, V VARCHAR(10), KEY v (V), KEY id (ID));
CREATE TABLE `PLAIN` (id INT NOT NULL PRIMARY KEY, v VARCHAR(10), KEY v (v), CONSTRAINT `plain_v` CHECK (v <> ''));
CREATE TABLE `select` (`from` INT NOT NULL PRIMARY KEY, `where` INT, `user` VARCHAR(5), `order` INT, KEY `group` (`order`), KEY `table` (`where`));
CREATE TABLE `sp ace.dot"quote'apos``tick` (`a b` INT NOT NULL PRIMARY KEY, `c.d` INT, `e"f` INT, `g'h` INT, `i``j` INT, `%s {0} $1 :x ?` INT, `\back` INT, KEY `idx "q"` (`c.d`, `e"f`), CONSTRAINT `ck 'x"` CHECK (`g'h` > 0)) COMMENT='/* c */ -- d';
CREATE TABLE `日本語テーブル` (`番号` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `名前` VARCHAR(20) COMMENT '名前「かぎ」', `größe` ENUM('klein','groß','größer; "x"') DEFAULT 'groß', KEY `索引` (`名前`));
CREATE TABLE `#1234` (`#id34` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `#2222` INT, `#3333` ENUM('a','b'), KEY `#k111` (`#2222`), KEY `#k222` (`#3333`));
CREATE TABLE `#1235` (`#id34` INT NOT NULL PRIMARY KEY, `#3333` ENUM('x','y'), CONSTRAINT `#f111` FOREIGN KEY (`#id34`) REFERENCES `#1234` (`#id34`));
CREATE TABLE comp_parent (a INT UNSIGNED NOT NULL, b VARCHAR(20) NOT NULL, c DATE NOT NULL, extra INT, PRIMARY KEY (a, b, c), UNIQUE KEY b_a (b, a));
CREATE TABLE comp_child (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, pb VARCHAR(20), pa INT UNSIGNED, pc DATE, CONSTRAINT to_comp FOREIGN KEY (pa, pb, pc) REFERENCES comp_parent (a, b, c) ON DELETE SET NULL ON UPDATE CASCADE, CONSTRAINT to_uq FOREIGN KEY (pb, pa) REFERENCES comp_parent (b, a));
CREATE TABLE cyc_a (id INT NOT NULL PRIMARY KEY, b_id INT, CONSTRAINT a_b FOREIGN KEY (b_id) REFERENCES cyc_b (id));
CREATE TABLE cyc_b (id INT NOT NULL PRIMARY KEY, c_id INT, CONSTRAINT b_c FOREIGN KEY (c_id) REFERENCES cyc_c (id) ON DELETE CASCADE);
CREATE TABLE cyc_c (id INT NOT NULL PRIMARY KEY, a_id INT, CONSTRAINT c_a FOREIGN KEY (a_id) REFERENCES cyc_a (id) ON DELETE SET NULL);
CREATE TABLE self_tree (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, up INT, root INT NOT NULL, CONSTRAINT up FOREIGN KEY (up) REFERENCES self_tree (id) ON DELETE CASCADE, CONSTRAINT root FOREIGN KEY (root) REFERENCES self_tree (id));
CREATE TABLE defaults (id INT NOT NULL PRIMARY KEY, a INT DEFAULT -5, b VARCHAR(20) DEFAULT 'it''s \\ "x"', c DECIMAL(20,10) DEFAULT 1.5, d DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), f VARCHAR(40) DEFAULT (UUID()), h BIT(5) DEFAULT b'101', i SET('a','b c') DEFAULT 'a', l TIME DEFAULT '-838:59:59', m YEAR DEFAULT 1999, n VARBINARY(10) DEFAULT x'00FF27', o VARCHAR(10) DEFAULT 'NULL', r DATE DEFAULT '0000-00-00', s DOUBLE DEFAULT 1e300, t FLOAT DEFAULT 0.1, u BOOLEAN DEFAULT TRUE, w BIGINT UNSIGNED DEFAULT 18446744073709551615, x CHAR(3) DEFAULT '', y INT DEFAULT (1 + 2 * 3));
CREATE TABLE gen (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, b INT NOT NULL, s INT AS (a + b) STORED, v INT AS (a * b) VIRTUAL, t VARCHAR(50) AS (CONCAT(a, '-', b)) STORED, w VARCHAR(32) AS (MD5(a)) STORED, u INT AS (a DIV b) VIRTUAL, m INT AS (a % b) STORED, UNIQUE KEY s (s), KEY v (v));
CREATE TABLE enums (id INT NOT NULL PRIMARY KEY, e ENUM('', 'a', 'A b', 'x''y', 'x"y', 'q\\w', 'ümlaut', 'null', '{}', ',') NOT NULL DEFAULT 'a', s SET('null','{}','"x"','a b','''','\\') DEFAULT 'null,{}', l ENUM('##','m') DEFAULT 'm', only_one ENUM('o'));
CREATE TABLE hidden (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, b INT NOT NULL DEFAULT 3 INVISIBLE);
CREATE TABLE part_range (id INT NOT NULL, d DATE NOT NULL, v INT, PRIMARY KEY (id, d)) PARTITION BY RANGE (YEAR(d)) (PARTITION p0 VALUES LESS THAN (2000), PARTITION pm VALUES LESS THAN MAXVALUE);
CREATE TABLE part_key (id INT NOT NULL PRIMARY KEY, v INT) PARTITION BY LINEAR KEY () PARTITIONS 3;
CREATE TABLE no_key (a INT, b VARCHAR(5));
CREATE TABLE no_key_uq (a INT, b VARCHAR(5), UNIQUE KEY u (a, b));
CREATE TABLE empty_one (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, v TEXT) AUTO_INCREMENT=18446744073709551600;
CREATE TABLE high_ai (id SMALLINT NOT NULL AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE neg_ai (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT);
CREATE TABLE idx (id INT NOT NULL PRIMARY KEY, t TEXT, b BLOB, v VARCHAR(300), n DECIMAL(30,10), e ENUM('a','b'), s SET('x','y'), f DOUBLE, d DATETIME(6), KEY t10 (t(10)), KEY b5 (b(5)), UNIQUE KEY v_uq (v(20)), KEY mix (n, e DESC, t(5), d), FULLTEXT KEY ft (t, v), KEY s_k (s), KEY dup1 (v), KEY dup2 (v));
CREATE TABLE ci (name VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, other VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci, UNIQUE KEY other (other));
CREATE TABLE ci_child (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_general_ci, CONSTRAINT ci_fk FOREIGN KEY (name) REFERENCES ci (name));
CREATE TABLE `1` (`1` INT NOT NULL PRIMARY KEY, `2` INT);
CREATE TABLE `dbferry` (id INT NOT NULL PRIMARY KEY, xmin_ INT, CTID INT);
CREATE TABLE float_md (id INT NOT NULL PRIMARY KEY, f FLOAT(7,3), d DOUBLE(10,2), dc DECIMAL(65,30), z INT(5) ZEROFILL);
CREATE TABLE orders_id_seq (id INT NOT NULL PRIMARY KEY);
CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, status ENUM('a','b'));
CREATE TABLE orders_status (id INT NOT NULL PRIMARY KEY);
INSERT INTO plain VALUES (1,'a'),(5,'b');
INSERT INTO `Plain` VALUES (1,'x'),(2,'y');
INSERT INTO `PLAIN` VALUES (7,'q');
INSERT INTO `select` VALUES (1,2,'u',3);
INSERT INTO `sp ace.dot"quote'apos``tick` VALUES (1,2,3,4,5,6,7);
INSERT INTO `日本語テーブル` VALUES (1,'山田','größer; "x"'),(2,NULL,NULL);
INSERT INTO `#1234` VALUES (1,2,'a'),(2,3,'b');
INSERT INTO `#1235` VALUES (1,'x');
INSERT INTO comp_parent VALUES (1,'b','2020-01-01',5),(4000000000,'c','2021-01-01',NULL);
INSERT INTO comp_child VALUES (1,'b',1,'2020-01-01'),(2,NULL,NULL,NULL),(3,'c',4000000000,NULL);
INSERT INTO cyc_a VALUES (1,1),(2,NULL);
INSERT INTO cyc_b VALUES (1,1);
INSERT INTO cyc_c VALUES (1,1);
INSERT INTO self_tree VALUES (1,2,2),(2,NULL,2);
INSERT INTO defaults (id, r) VALUES (1, '2020-01-01');
INSERT INTO gen (id,a,b) VALUES (1,7,2),(2,-7,2);
INSERT INTO enums (id,e,s,l) VALUES (1,'x''y','{},''', '##'),(2,'','','m'),(3,'q\\w','\\','m');
INSERT INTO hidden (a) VALUES (1),(2);
INSERT INTO part_range VALUES (1,'1999-01-01',1),(2,'2020-05-05',2);
INSERT INTO part_key VALUES (1,1);
INSERT INTO no_key VALUES (1,'a'),(1,'a'),(NULL,NULL);
INSERT INTO no_key_uq VALUES (1,NULL),(1,NULL),(1,'a');
INSERT INTO high_ai VALUES (32767);
INSERT INTO neg_ai VALUES (-5,1),(0,2);
INSERT INTO idx VALUES (1,'text one','blob1','v1',1.5,'a','x,y',1.5,'2020-01-01 00:00:00.123456'),(2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO ci VALUES ('Ann','é'),('Bob',NULL);
INSERT INTO ci_child VALUES (1,'Ann');
INSERT INTO `1` VALUES (1,2);
INSERT INTO `dbferry` VALUES (1,2,3);
INSERT INTO float_md VALUES (1,1.234,5.67,1.5,42);
INSERT INTO orders_id_seq VALUES (1);
INSERT INTO orders VALUES (3,'b');
INSERT INTO orders_status VALUES (1);
CREATE VIEW `v "x"` AS SELECT id FROM plain;
CREATE TRIGGER `tr 'x` BEFORE INSERT ON plain FOR EACH ROW SET NEW.v = UPPER(NEW.v);
CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO DELETE FROM plain WHERE id < 0;
CREATE FUNCTION f1(a INT) RETURNS INT DETERMINISTIC RETURN a + 1;
"##;

#[tokio::test]
async fn a_hostile_schema_arrives_and_is_proven() {
    let from = MySqlDatabase::create(&WORST.replace('#', &"w".repeat(60))).await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // V6: all of it is proven, and the schema is as planned.
    let proven = done["proven"].as_str().unwrap();
    assert!(
        proven.starts_with("Proven in full: all 35 tables") && proven.ends_with("The schema of all 35 tables is as planned."),
        "{proven}"
    );
    assert_eq!(done["schema"]["differences"], Value::Array(Vec::new()));
    // V6: each key, check and index of the source has one of the target, or an entry in the list.
    let constraints =
        "SELECT string_agg(contype || n, ' ' ORDER BY contype) FROM (SELECT contype::text, count(*) AS n FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND convalidated GROUP BY 1) AS x";
    assert_eq!(to.value(constraints).await.as_deref(), Some("c8 f9 p33"));
    let mut source = from.connect().await;
    let sql = "SELECT COUNT(DISTINCT TABLE_NAME, INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()";
    let indexes: i64 = sqlx::query_scalar(sql).fetch_one(&mut source).await.unwrap();
    let made = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace AND i.indisvalid";
    assert_eq!(to.value(made).await, Some(indexes.to_string()));
    for (object, name) in
        [("view", "v \"x\""), ("trigger", "tr 'x"), ("event", "ev"), ("function", "f1"), ("generated column", "gen.w")]
    {
        lists(&done, "not_carried", object, &[name]);
    }
    // V6: and what is there acts.
    to.run(
        "INSERT INTO \"日本語テーブル\" (\"名前\") VALUES ('x'); INSERT INTO orders (status) VALUES ('a'); INSERT INTO hidden (a) VALUES (9);
         INSERT INTO defaults (id) VALUES (2); DELETE FROM cyc_a WHERE id = 2; UPDATE comp_parent SET b = 'd' WHERE a = 1",
    )
    .await;
    to.holds("\"日本語テーブル\"", "\"名前\" = 'x'", &["\"番号\"", "\"größe\"::text"], "3, 'groß'").await;
    to.holds("comp_child", "id = 1", &["pb"], "'d'").await;
    to.holds("hidden", "a = 9", &["id", "b"], "3, 3").await;
    to.holds(
        "defaults",
        "id = 2",
        &["a", "b", "c", "h", "i", "l", "m", "n", "o", "r", "s", "t", "u", "w", "x", "y", "length(f)"],
        r#"-5, 'it''s \ "x"', 1.5, B'00101', ARRAY['a'], '-838:59:59', 1999, '\x00ff27', 'NULL', NULL, 1e300, 0.1::real, true, 18446744073709551615, '', 7, 36"#,
    )
    .await;
    to.refuses("INSERT INTO high_ai DEFAULT VALUES", "2200H").await;
    to.refuses("INSERT INTO empty_one DEFAULT VALUES", "2200H").await;
    to.refuses("INSERT INTO \"PLAIN\" VALUES (8, '')", "23514").await;
    // Again in its own place, types, functions and sequences included.
    report(0, &["run", &from.url, &to.url, "--if-exists", "drop"]);
    report(0, &["run", &from.url, &to.url, "--if-exists", "truncate"]);
    from.drop().await;
    to.drop().await;
}
