-- The schema of the sample shop.
CREATE TABLE categories (
    id          INTEGER PRIMARY KEY,
    parent_id   INTEGER REFERENCES categories (id),
    name        VARCHAR(60) NOT NULL UNIQUE
);
CREATE TABLE customers (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id    UUID NOT NULL UNIQUE,
    email        VARCHAR(120) NOT NULL UNIQUE,
    full_name    VARCHAR(80) NOT NULL,
    phone        VARCHAR(30),
    birth_date   DATE,
    is_active    BOOLEAN NOT NULL DEFAULT 1,
    credit_limit DECIMAL(12,2) NOT NULL DEFAULT 0,
    settings     JSON,
    created_at   DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE addresses (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    kind        VARCHAR(10) NOT NULL DEFAULT 'home',
    street      VARCHAR(100) NOT NULL,
    city        VARCHAR(60) NOT NULL,
    postcode    VARCHAR(12),
    country     CHAR(2) NOT NULL,
    latitude    DOUBLE,
    longitude   DOUBLE
);
CREATE TABLE products (
    id          INTEGER PRIMARY KEY,
    category_id INTEGER NOT NULL REFERENCES categories (id),
    sku         VARCHAR(20) NOT NULL UNIQUE,
    name        VARCHAR(120) NOT NULL,
    description TEXT,
    price       DECIMAL(10,2) NOT NULL,
    weight_kg   REAL,
    in_stock    INTEGER NOT NULL DEFAULT 0,
    is_digital  BOOLEAN NOT NULL DEFAULT 0,
    photo       BLOB,
    attributes  JSON,
    added_on    DATE NOT NULL
);
CREATE TABLE orders (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    ship_to     INTEGER REFERENCES addresses (id) ON DELETE SET NULL,
    status      VARCHAR(12) NOT NULL DEFAULT 'new',
    ordered_at  DATETIME NOT NULL,
    deliver_by  TIME,
    total       DECIMAL(12,2) NOT NULL,
    note        TEXT
);
CREATE TABLE order_items (
    order_id   INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line_no    INTEGER NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity   INTEGER NOT NULL,
    unit_price DECIMAL(10,2) NOT NULL,
    discount   REAL,
    PRIMARY KEY (order_id, line_no)
);
CREATE TABLE payments (
    id        INTEGER PRIMARY KEY,
    order_id  INTEGER NOT NULL REFERENCES orders (id),
    method    VARCHAR(12) NOT NULL,
    amount    DECIMAL(12,2) NOT NULL,
    paid_at   TIMESTAMP,
    reference UUID NOT NULL,
    receipt   BLOB
);
CREATE TABLE reviews (
    id          INTEGER PRIMARY KEY,
    product_id  INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    customer_id INTEGER REFERENCES customers (id) ON DELETE SET NULL,
    stars       INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    title       VARCHAR(80),
    body        TEXT,
    helpful     REAL,
    created_at  DATETIME NOT NULL
);
-- Names that need quotes everywhere: capitals, blanks, reserved words.
CREATE TABLE "Order Notes" (
    "Note No"   INTEGER PRIMARY KEY,
    "order"     INTEGER NOT NULL REFERENCES orders (id),
    "Group"     VARCHAR(20),
    "select"    BOOLEAN,
    "Text Body" TEXT
);
-- Two columns are its key, and it has no rowid.
CREATE TABLE exchange_rates (
    currency CHAR(3) NOT NULL,
    day      DATE NOT NULL,
    rate     DECIMAL(14,6) NOT NULL,
    PRIMARY KEY (currency, day)
) WITHOUT ROWID;
-- No key at all, and rows that are there twice.
CREATE TABLE page_visits (
    customer_id INTEGER REFERENCES customers (id),
    page        VARCHAR(60) NOT NULL,
    seconds     INTEGER,
    visited_on  DATE NOT NULL
);
-- Empty, and stays so.
CREATE TABLE gift_cards (
    code    CHAR(16) PRIMARY KEY NOT NULL,
    balance DECIMAL(8,2) NOT NULL DEFAULT 0
);
-- Values at the ends of every type.
CREATE TABLE odd_values (
    id       INTEGER PRIMARY KEY,
    what     VARCHAR(60) NOT NULL,
    whole    INTEGER,
    exact    DECIMAL(38,10),
    number   DOUBLE,
    words    TEXT,
    bytes    BLOB,
    flag     BOOLEAN,
    day      DATE,
    clock    TIME,
    moment   DATETIME,
    ident    UUID,
    document JSON
);
