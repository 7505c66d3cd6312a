-- A table of customers that has grown for years until everything stood in it, and orders of which only the last years matter.
-- Runs on MariaDB 10.6 and later, and on MySQL 8 and later.

CREATE TABLE customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(120) COLLATE utf8mb4_bin NOT NULL,
  name VARCHAR(80) NOT NULL,
  created_at DATETIME NOT NULL,
  street VARCHAR(120),
  zip VARCHAR(12),
  city VARCHAR(60),
  country CHAR(2),
  theme ENUM('light', 'dark') NOT NULL DEFAULT 'light',
  locale VARCHAR(10) NOT NULL DEFAULT 'en',
  newsletter TINYINT(1) NOT NULL DEFAULT 0,
  preferences JSON,
  UNIQUE KEY by_email (email),
  KEY by_city (country, city)
);
CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  total DECIMAL(10,2) NOT NULL,
  placed_at DATETIME NOT NULL,
  KEY by_day (placed_at),
  CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);

INSERT INTO customers
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 900)
SELECT n, CONCAT('person', n, '@mail.test'), CONCAT('Person ', n), TIMESTAMP('2020-01-01 08:00:00') + INTERVAL n DAY,
  IF(n % 3 = 0, NULL, CONCAT(n, ' Station Road')), IF(n % 3 = 0, NULL, LPAD(n, 5, '0')), IF(n % 3 = 0, NULL, ELT(1 + n % 4, 'Lyon', 'Turin', 'Ulm', 'York')),
  IF(n % 3 = 0, NULL, ELT(1 + n % 4, 'FR', 'IT', 'DE', 'GB')), IF(n % 2 = 0, 'dark', 'light'), ELT(1 + n % 3, 'en', 'de', 'fr'), n % 2, IF(n % 5 = 0, '{"font": "large"}', NULL)
FROM up;
INSERT INTO orders
SELECT c.id * 4 - k.n, c.id, (c.id * 4 - k.n) * 0.75, TIMESTAMP('2019-06-01 12:00:00') + INTERVAL (c.id * 4 - k.n) * 11 HOUR
FROM customers c, (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) k;
