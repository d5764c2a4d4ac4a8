-- Whose an order is, for promotions that count once for each customer: a keyed hash of the e-mail address, never the address.
CREATE TABLE order_customers (
    order_id TEXT COLLATE "C" PRIMARY KEY REFERENCES orders (id),
    customer TEXT COLLATE "C" NOT NULL
);
CREATE INDEX orders_of_customer ON order_customers (customer);
