-- After the rows, since that is faster.
CREATE INDEX addresses_customer_idx ON addresses (customer_id);
CREATE INDEX products_category_idx ON products (category_id, price DESC);
CREATE INDEX orders_customer_idx ON orders (customer_id, ordered_at DESC);
CREATE INDEX order_items_product_idx ON order_items (product_id);
CREATE INDEX payments_order_idx ON payments (order_id);
CREATE INDEX reviews_product_idx ON reviews (product_id);
CREATE VIEW open_orders AS SELECT id, customer_id, total FROM orders WHERE status IN ('new', 'paid');
