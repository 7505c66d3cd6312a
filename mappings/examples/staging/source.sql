-- The production database of a shop, with all that must not leave it.
-- Runs on MariaDB 10.6 and later, and on MySQL 8 and later.

CREATE TABLE customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(120) COLLATE utf8mb4_bin NOT NULL,
  full_name VARCHAR(80) NOT NULL,
  born DATE,
  phone VARCHAR(24),
  iban VARCHAR(34),
  password_hash CHAR(60) NOT NULL,
  notes TEXT,
  plan ENUM('free', 'team', 'business') NOT NULL,
  created_at DATETIME NOT NULL,
  UNIQUE KEY by_email (email)
);
CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  total DECIMAL(10,2) NOT NULL,
  delivery_note VARCHAR(200),
  placed_at DATETIME NOT NULL,
  shipped_at DATETIME,
  KEY by_day (placed_at),
  CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);
-- No foreign key leads from here to `customers`, but the application joins the two by e-mail.
CREATE TABLE newsletter (
  email VARCHAR(120) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  subscribed_at DATETIME NOT NULL
);
CREATE TABLE sessions (
  token CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  customer_id INT NOT NULL,
  ip VARCHAR(45) NOT NULL,
  CONSTRAINT session_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);

INSERT INTO customers
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 800)
SELECT n, CONCAT('ada.', n, '@home.test'), CONCAT('Ada Lovelace the ', n), IF(n % 7 = 0, NULL, DATE('1950-01-01') + INTERVAL n * 20 DAY),
  CONCAT('+44 20 7946 ', LPAD(n, 4, '0')), IF(n % 3 = 0, NULL, CONCAT('GB29NWBK', LPAD(n * 7919, 14, '0'))), CONCAT('$2y$10$', SUBSTR(SHA2(n, 256), 1, 53)),
  IF(n % 5 = 0, CONCAT('Called on Monday, wants her parcels sent to 12 Home Street, ada.', n, '@home.test'), NULL),
  ELT(1 + n % 3, 'free', 'team', 'business'), TIMESTAMP('2022-01-01 09:00:00') + INTERVAL n HOUR
FROM up;
INSERT INTO orders
SELECT c.id * 3 - k.n, c.id, (c.id * 3 - k.n) * 1.15, IF(c.id % 4 = 0, CONCAT('Leave it with Mrs. Lovelace at number ', c.id), NULL),
  c.created_at + INTERVAL k.n + 1 DAY, IF(c.id % 6 = 0, NULL, c.created_at + INTERVAL k.n + 3 DAY)
FROM customers c, (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2) k;
INSERT INTO newsletter SELECT email, created_at + INTERVAL 1 HOUR FROM customers WHERE id % 2 = 0;
INSERT INTO newsletter VALUES ('stranger@home.test', '2024-01-01 00:00:00');
INSERT INTO sessions SELECT SUBSTR(SHA2(id, 256), 1, 32), id, CONCAT('203.0.113.', id % 250) FROM customers WHERE id % 10 = 0;
