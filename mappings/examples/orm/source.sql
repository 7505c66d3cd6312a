-- A blog as a PHP framework has made it in MySQL: snake_case, flags in tinyint(1), UUIDs in char(36).
-- Runs on MariaDB 10.6 and later, and on MySQL 8 and later.

CREATE TABLE users (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  email VARCHAR(190) COLLATE utf8mb4_bin NOT NULL,
  full_name VARCHAR(100),
  is_active TINYINT(1) NOT NULL DEFAULT 1,
  role ENUM('reader', 'author', 'admin') NOT NULL DEFAULT 'reader',
  settings JSON,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  UNIQUE KEY users_public_id (public_id),
  UNIQUE KEY users_email (email)
);
CREATE TABLE posts (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  author_id INT UNSIGNED NOT NULL,
  title VARCHAR(150) NOT NULL,
  body TEXT NOT NULL,
  published_at DATETIME,
  KEY posts_author (author_id),
  CONSTRAINT posts_author_fk FOREIGN KEY (author_id) REFERENCES users (id)
);
CREATE TABLE tags (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) COLLATE utf8mb4_bin NOT NULL, UNIQUE KEY tags_name (name));
CREATE TABLE post_tags (
  post_id INT UNSIGNED NOT NULL,
  tag_id INT UNSIGNED NOT NULL,
  PRIMARY KEY (post_id, tag_id),
  CONSTRAINT post_tags_post FOREIGN KEY (post_id) REFERENCES posts (id),
  CONSTRAINT post_tags_tag FOREIGN KEY (tag_id) REFERENCES tags (id)
);
-- The history of the framework's own migrations. It is no business of the new application.
CREATE TABLE migrations (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, migration VARCHAR(190) NOT NULL, batch INT NOT NULL);

INSERT INTO users
WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 500)
SELECT n, CONCAT(SUBSTR(SHA2(n, 256), 1, 8), '-', SUBSTR(SHA2(n, 256), 9, 4), '-4', SUBSTR(SHA2(n, 256), 14, 3), '-8', SUBSTR(SHA2(n, 256), 18, 3), '-', SUBSTR(SHA2(n, 256), 21, 12)),
  CONCAT('person', n, '@mail.test'), IF(n % 9 = 0, NULL, CONCAT('Person ', n)), n % 8 <> 0, ELT(1 + n % 3, 'reader', 'author', 'admin'),
  IF(n % 4 = 0, '{"theme": "dark"}', NULL), TIMESTAMP('2023-01-01 08:00:00') + INTERVAL n DAY, TIMESTAMP('2024-06-01 08:00:00') + INTERVAL n HOUR
FROM up;
INSERT INTO posts
SELECT u.id * 3 - k.n, u.id, CONCAT('Post ', u.id * 3 - k.n), REPEAT('All that can be said about it. ', 1 + u.id % 9),
  IF(k.n = 2, NULL, TIMESTAMP('2024-01-01 12:00:00') + INTERVAL u.id * 3 - k.n HOUR)
FROM users u, (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2) k WHERE u.role <> 'reader';
INSERT INTO tags VALUES (1, 'databases'), (2, 'ferries'), (3, 'proofs'), (4, 'rust');
INSERT INTO post_tags SELECT id, 1 + id % 4 FROM posts;
INSERT INTO post_tags SELECT id, 1 + (id + 1) % 4 FROM posts WHERE id % 5 = 0;
INSERT INTO migrations VALUES (1, '2023_01_01_000000_create_users', 1), (2, '2023_01_02_000000_create_posts', 1);
