-- When all that names whoever bought was taken out of an order. What is left names nobody: amounts, taxes, lines, country and region.
ALTER TABLE orders ADD COLUMN erased_at BIGINT;
-- What was dealt with, by its name, where the log has no order.
CREATE INDEX audit_of_subject ON audit (subject) WHERE order_id IS NULL AND action = 'resolve';
-- The log is only added to, but for words about a person who was erased: that something was done, by whom and when, stays.
CREATE OR REPLACE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.detail = 'erased'
        AND (NEW.id, NEW.at, NEW.operator, NEW.action, NEW.subject, NEW.order_id, NEW.before, NEW.after, NEW.key)
            IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.operator, OLD.action, OLD.subject, OLD.order_id, OLD.before, OLD.after, OLD.key)
        AND EXISTS (SELECT 1 FROM orders WHERE orders.erased_at IS NOT NULL AND orders.id IN
            (SELECT OLD.order_id UNION ALL SELECT attempts.order_id FROM attempts WHERE attempts.id = OLD.subject
             UNION ALL SELECT refunds.order_id FROM refunds WHERE refunds.id = OLD.subject
             UNION ALL SELECT withdrawals.order_id FROM withdrawals WHERE withdrawals.id = OLD.subject
             UNION ALL SELECT paid.id FROM orphans JOIN orders AS paid ON paid.checkout = orphans.checkout
                 WHERE orphans.reference = OLD.subject)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log is only added to';
END
$$;
