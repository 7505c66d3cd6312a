-- A small shop for trying dbferry out. It loads into MySQL 8.4 and MariaDB 11 alike, and holds one of most things that a database has.
SET NAMES utf8mb4;
SET time_zone = '+00:00';

CREATE TABLE customers (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email VARCHAR(190) NOT NULL,
    name VARCHAR(100) NOT NULL COMMENT 'As the customer writes it',
    born DATE NULL,
    newsletter TINYINT(1) NOT NULL DEFAULT 0,
    settings JSON NULL,
    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    UNIQUE KEY customers_email (email)
) COMMENT = 'People who buy';

CREATE TABLE products (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    sku CHAR(12) NOT NULL,
    title VARCHAR(200) NOT NULL,
    kind ENUM('book', 'disc', 'other') NOT NULL DEFAULT 'other',
    tags SET('new', 'sale', 'heavy') NULL,
    price DECIMAL(10, 2) NOT NULL,
    weight_grams DOUBLE NULL,
    picture BLOB NULL,
    price_with_tax DECIMAL(12, 4) GENERATED ALWAYS AS (price * 1.19) STORED,
    UNIQUE KEY products_sku (sku),
    KEY products_kind_price (kind, price),
    CONSTRAINT products_price CHECK (price >= 0)
);

CREATE TABLE orders (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer_id INT UNSIGNED NOT NULL,
    ordered_at DATETIME(3) NOT NULL,
    delivery_window TIME NULL,
    fiscal_year YEAR NULL,
    note TEXT NULL,
    KEY orders_customer (customer_id, ordered_at),
    CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);

CREATE TABLE order_items (
    order_id BIGINT UNSIGNED NOT NULL,
    position SMALLINT UNSIGNED NOT NULL,
    product_id INT UNSIGNED NOT NULL,
    quantity INT NOT NULL DEFAULT 1,
    price DECIMAL(10, 2) NOT NULL,
    PRIMARY KEY (order_id, position),
    CONSTRAINT items_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
    CONSTRAINT items_product FOREIGN KEY (product_id) REFERENCES products (id)
);

CREATE TABLE payments (
    id BINARY(16) NOT NULL PRIMARY KEY,
    order_id BIGINT UNSIGNED NOT NULL,
    amount DECIMAL(12, 2) NOT NULL,
    flags BIT(8) NOT NULL DEFAULT b'0',
    paid_at TIMESTAMP NULL,
    CONSTRAINT payments_order FOREIGN KEY (order_id) REFERENCES orders (id)
);

-- Without a key: equal rows are rows of their own.
CREATE TABLE visits (
    page VARCHAR(100) NOT NULL,
    milliseconds INT NOT NULL
);

-- Not carried: the report lists it.
CREATE VIEW revenue AS
    SELECT customer_id, SUM(quantity * price) AS total FROM orders JOIN order_items ON order_id = orders.id GROUP BY customer_id;

INSERT INTO customers (email, name, born, newsletter, settings, created_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
SELECT
    CONCAT('customer', i, '@example.org'),
    ELT(1 + i % 4, 'Zoë Müller', 'O''Brien', '山田 花子', '😀 Smiley'),
    IF(i % 7 = 0, NULL, DATE_ADD('1950-01-01', INTERVAL i * 41 DAY)),
    i % 2,
    IF(i % 5 = 0, NULL, JSON_OBJECT('theme', ELT(1 + i % 2, 'dark', 'light'), 'limit', i * 1.5)),
    DATE_ADD('2024-01-01 00:00:00.000001', INTERVAL i * 3607 SECOND)
FROM n;

INSERT INTO products (sku, title, kind, tags, price, weight_grams, picture)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
SELECT
    CONCAT('SKU-', LPAD(i, 8, '0')),
    CONCAT(ELT(1 + i % 3, 'A tale of ', 'Songs about ', 'Tea, '), i, ' things\t"quoted" \\ back'),
    ELT(1 + i % 3, 'book', 'disc', 'other'),
    ELT(1 + i % 4, 'new', 'new,sale', '', NULL),
    i * 1.07,
    IF(i % 9 = 0, NULL, i * 12.3),
    IF(i % 10 = 0, UNHEX(REPEAT(LPAD(HEX(i), 4, '0'), 20)), NULL)
FROM n;

INSERT INTO orders (customer_id, ordered_at, delivery_window, fiscal_year, note)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
SELECT
    1 + i * 7 % 500,
    DATE_ADD('2024-02-01 08:00:00.125', INTERVAL i * 1711 SECOND),
    IF(i % 3 = 0, NULL, SEC_TO_TIME(i * 60 % 86400)),
    2024 + i % 2,
    IF(i % 4 = 0, CONCAT('line one\nline two of ', i), NULL)
FROM n;

INSERT INTO order_items (order_id, position, product_id, quantity, price)
SELECT orders.id, positions.p, 1 + (orders.id * 13 + positions.p * 29) % 200, 1 + (orders.id + positions.p) % 5,
    (1 + (orders.id * 13 + positions.p * 29) % 200) * 1.07
FROM orders JOIN (SELECT 1 AS p UNION ALL SELECT 2 UNION ALL SELECT 3) AS positions ON positions.p <= 1 + orders.id % 3;

INSERT INTO visits (page, milliseconds)
SELECT CONCAT('/product/', id % 20), id % 3 FROM orders;

INSERT INTO payments (id, order_id, amount, flags, paid_at)
SELECT UNHEX(LEFT(SHA2(order_id, 256), 32)), order_id, total, order_id % 256, DATE_ADD('2024-02-02 10:00:00', INTERVAL order_id HOUR)
FROM (SELECT order_id, SUM(quantity * price) AS total FROM order_items GROUP BY order_id) AS sums;
