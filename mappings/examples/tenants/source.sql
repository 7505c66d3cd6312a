-- A hosted shop whose customers ("tenants") each have tables of their own, told apart by the beginning of their names.
-- Runs on MariaDB 10.6 and later, and on MySQL 8 and later.

CREATE TABLE countries (code CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, name VARCHAR(60) NOT NULL);

CREATE TABLE acme_customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(120) NOT NULL,
  name VARCHAR(80) NOT NULL,
  country CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME NOT NULL,
  UNIQUE KEY by_email (email),
  CONSTRAINT acme_customer_country FOREIGN KEY (country) REFERENCES countries (code)
);
CREATE TABLE acme_orders (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  total DECIMAL(10,2) NOT NULL,
  paid TINYINT(1) NOT NULL,
  placed_at DATETIME NOT NULL,
  KEY by_day (placed_at),
  CONSTRAINT acme_order_customer FOREIGN KEY (customer_id) REFERENCES acme_customers (id)
);
CREATE TABLE acme_order_items (
  order_id INT NOT NULL,
  position SMALLINT NOT NULL,
  sku VARCHAR(20) NOT NULL,
  quantity INT NOT NULL,
  PRIMARY KEY (order_id, position),
  CONSTRAINT acme_item_order FOREIGN KEY (order_id) REFERENCES acme_orders (id)
);

CREATE TABLE globex_customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(120) NOT NULL,
  name VARCHAR(80) NOT NULL,
  country CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME NOT NULL,
  UNIQUE KEY by_email (email),
  CONSTRAINT globex_customer_country FOREIGN KEY (country) REFERENCES countries (code)
);
CREATE TABLE globex_orders (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  total DECIMAL(10,2) NOT NULL,
  paid TINYINT(1) NOT NULL,
  placed_at DATETIME NOT NULL,
  KEY by_day (placed_at),
  CONSTRAINT globex_order_customer FOREIGN KEY (customer_id) REFERENCES globex_customers (id)
);
CREATE TABLE globex_order_items (
  order_id INT NOT NULL,
  position SMALLINT NOT NULL,
  sku VARCHAR(20) NOT NULL,
  quantity INT NOT NULL,
  PRIMARY KEY (order_id, position),
  CONSTRAINT globex_item_order FOREIGN KEY (order_id) REFERENCES globex_orders (id)
);

-- The youngest tenant asked for a column of its own: the number for the value-added tax.
CREATE TABLE initech_customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(120) NOT NULL,
  name VARCHAR(80) NOT NULL,
  country CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME NOT NULL,
  vat_number VARCHAR(20),
  UNIQUE KEY by_email (email),
  CONSTRAINT initech_customer_country FOREIGN KEY (country) REFERENCES countries (code)
);
CREATE TABLE initech_orders (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  total DECIMAL(10,2) NOT NULL,
  paid TINYINT(1) NOT NULL,
  placed_at DATETIME NOT NULL,
  KEY by_day (placed_at),
  CONSTRAINT initech_order_customer FOREIGN KEY (customer_id) REFERENCES initech_customers (id)
);
CREATE TABLE initech_order_items (
  order_id INT NOT NULL,
  position SMALLINT NOT NULL,
  sku VARCHAR(20) NOT NULL,
  quantity INT NOT NULL,
  PRIMARY KEY (order_id, position),
  CONSTRAINT initech_item_order FOREIGN KEY (order_id) REFERENCES initech_orders (id)
);

INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France'), ('GB', 'United Kingdom'), ('US', 'United States');

-- Each tenant counts from 1, and some people are customers of several: ids and e-mail addresses meet as soon as the tables do.
INSERT INTO acme_customers
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 400)
SELECT n, CONCAT('person', n, '@mail.test'), CONCAT('Person ', n), ELT(1 + n % 4, 'DE', 'FR', 'GB', 'US'), TIMESTAMP('2021-01-01 08:00:00') + INTERVAL n HOUR FROM up;
INSERT INTO globex_customers
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 250)
SELECT n, CONCAT('person', n * 2, '@mail.test'), CONCAT('Person ', n * 2), ELT(1 + n % 4, 'DE', 'FR', 'GB', 'US'), TIMESTAMP('2022-03-01 08:00:00') + INTERVAL n HOUR FROM up;
INSERT INTO initech_customers
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 100)
SELECT n, CONCAT('person', n * 5, '@mail.test'), CONCAT('Person ', n * 5), 'DE', TIMESTAMP('2024-06-01 08:00:00') + INTERVAL n HOUR, IF(n % 3 = 0, CONCAT('DE', 100000000 + n), NULL) FROM up;

INSERT INTO acme_orders
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 900)
SELECT n, 1 + n * 7 % 400, n * 1.25, n % 5 <> 0, TIMESTAMP('2023-01-01 10:00:00') + INTERVAL n HOUR FROM up;
INSERT INTO globex_orders
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 600)
SELECT n, 1 + n * 7 % 250, n * 2.50, n % 4 <> 0, TIMESTAMP('2023-01-01 10:00:00') + INTERVAL n HOUR FROM up;
INSERT INTO initech_orders
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 200)
SELECT n, 1 + n * 7 % 100, n * 9.99, n % 3 <> 0, TIMESTAMP('2024-07-01 10:00:00') + INTERVAL n HOUR FROM up;

INSERT INTO acme_order_items SELECT id, position, CONCAT('A-', id % 90), 1 + id % 3 FROM acme_orders, (SELECT 1 AS position UNION SELECT 2) AS positions;
INSERT INTO globex_order_items SELECT id, position, CONCAT('G-', id % 40), 1 + id % 3 FROM globex_orders, (SELECT 1 AS position UNION SELECT 2) AS positions;
INSERT INTO initech_order_items SELECT id, 1, CONCAT('I-', id % 10), 1 FROM initech_orders;
