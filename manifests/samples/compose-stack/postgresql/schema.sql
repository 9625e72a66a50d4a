-- The tables of the shop, made when the volume is new.
CREATE TABLE auth_user (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username text NOT NULL UNIQUE,
    email text NOT NULL,
    date_joined timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE shop_product (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price >= 0),
    details jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE shop_order (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES auth_user (id),
    status text NOT NULL CHECK (status IN ('cart', 'paid', 'shipped', 'returned')),
    placed_at timestamptz NOT NULL
);
CREATE INDEX shop_order_user ON shop_order (user_id);

CREATE TABLE shop_order_line (
    order_id bigint NOT NULL REFERENCES shop_order (id),
    product_id bigint NOT NULL REFERENCES shop_product (id),
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
);

CREATE TABLE shop_upload (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path text NOT NULL UNIQUE,
    size_bytes bigint NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now()
);

CREATE VIEW shop_revenue AS
SELECT date_trunc('month', o.placed_at) AS month, sum(l.quantity * p.price) AS revenue
FROM shop_order o JOIN shop_order_line l ON l.order_id = o.id JOIN shop_product p ON p.id = l.product_id
WHERE o.status IN ('paid', 'shipped')
GROUP BY 1;
