-- A shop with more rows than anybody wants on a laptop.
-- Runs on MariaDB 10.6 and later, and on MySQL 8 and later.

CREATE TABLE countries (code CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, name VARCHAR(60) NOT NULL);
CREATE TABLE customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(120) COLLATE utf8mb4_bin NOT NULL,
  country CHAR(2) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  invited_by INT,
  UNIQUE KEY by_email (email),
  CONSTRAINT customer_country FOREIGN KEY (country) REFERENCES countries (code),
  CONSTRAINT customer_invited_by FOREIGN KEY (invited_by) REFERENCES customers (id)
);
CREATE TABLE products (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, price DECIMAL(8,2) NOT NULL);
CREATE TABLE orders (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  placed_at DATETIME NOT NULL,
  CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);
CREATE TABLE order_items (
  order_id INT NOT NULL,
  position SMALLINT NOT NULL,
  product_id INT NOT NULL,
  quantity SMALLINT NOT NULL,
  PRIMARY KEY (order_id, position),
  CONSTRAINT item_order FOREIGN KEY (order_id) REFERENCES orders (id),
  CONSTRAINT item_product FOREIGN KEY (product_id) REFERENCES products (id)
);
CREATE TABLE reviews (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  product_id INT NOT NULL,
  customer_id INT NOT NULL,
  stars SMALLINT NOT NULL,
  CONSTRAINT review_product FOREIGN KEY (product_id) REFERENCES products (id),
  CONSTRAINT review_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);
-- Nothing leads here and nothing leads away.
CREATE TABLE currencies (code CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, digits SMALLINT NOT NULL);

INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France'), ('GB', 'United Kingdom'), ('US', 'United States');
INSERT INTO currencies VALUES ('EUR', 2), ('GBP', 2), ('JPY', 0), ('USD', 2);
INSERT INTO products
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 600)
SELECT n, CONCAT('Product ', n), n * 0.95 FROM up;
INSERT INTO customers
WITH RECURSIVE up (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM up WHERE n < 99)
SELECT 1 + a.n * 100 + b.n, CONCAT('person', 1 + a.n * 100 + b.n, '@mail.test'), ELT(1 + (a.n + b.n) % 4, 'DE', 'FR', 'GB', 'US'), NULL FROM up a, up b;
-- Every tenth was invited by somebody who came before.
UPDATE customers SET invited_by = 1 + id DIV 2 WHERE id % 10 = 0;
INSERT INTO orders
SELECT c.id * 2 - k.n, c.id, TIMESTAMP('2023-01-01 00:00:00') + INTERVAL c.id * 2 - k.n HOUR FROM customers c, (SELECT 0 AS n UNION ALL SELECT 1) k;
INSERT INTO order_items
SELECT o.id, k.n, 1 + (o.id * 7 + k.n * 13) % 600, 1 + o.id % 4 FROM orders o, (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) k;
INSERT INTO reviews SELECT id, 1 + id % 600, id, 1 + id % 5 FROM customers WHERE id % 3 = 0;
