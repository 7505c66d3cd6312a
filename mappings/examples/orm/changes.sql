-- What happens in the source between the first run and the second.
UPDATE users SET full_name = 'Ada Lovelace', is_active = 0 WHERE id = 10;
UPDATE posts SET published_at = '2025-01-01 12:00:00' WHERE published_at IS NULL AND id < 100;
INSERT INTO users VALUES (501, 'b3b1f0e2-5d3a-4c66-8a53-0d5f3b1f0e2a', 'person501@mail.test', 'Person 501', 1, 'author', NULL, '2025-01-01 08:00:00', '2025-01-01 08:00:00');
INSERT INTO posts VALUES (1501, 501, 'Post 1501', 'The first one of a new author.', NULL);
INSERT INTO post_tags VALUES (1501, 4);
