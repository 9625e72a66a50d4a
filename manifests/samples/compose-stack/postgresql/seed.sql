-- Data for the shop, the same for the same number of orders: psql --set orders=10000 --file seed.sql
\set ON_ERROR_STOP on
BEGIN;
INSERT INTO auth_user (username, email, date_joined)
SELECT format('user%s', n), format('user%s@example.org', n), timestamptz '2024-01-01 00:00+00' + n * interval '3 hours'
FROM generate_series(1, greatest(:orders / 10, 10)) AS n;

INSERT INTO shop_product (name, price, details)
SELECT format('%s no. %s', (ARRAY['Käse', 'Brot', 'Tee', 'Кофе', '茶碗', 'Olive oil'])[1 + n % 6], n), (n * 37 % 9000) / 100.0,
    jsonb_build_object('weight_grams', n * 13 % 2500, 'tags', jsonb_build_array('tag' || n % 7, 'season' || n % 4))
FROM generate_series(1, 200) AS n;

INSERT INTO shop_order (user_id, status, placed_at)
SELECT 1 + n % greatest(:orders / 10, 10), (ARRAY['cart', 'paid', 'shipped', 'shipped', 'returned'])[1 + n % 5],
    timestamptz '2025-01-01 00:00+00' + n * interval '7 minutes'
FROM generate_series(1, :orders) AS n;

INSERT INTO shop_order_line (order_id, product_id, quantity)
SELECT o.id, 1 + (o.id * 17 + line * 31) % 200, 1 + (o.id + line) % 5
FROM shop_order AS o, generate_series(1, 3) AS line;
COMMIT;
ANALYZE;
