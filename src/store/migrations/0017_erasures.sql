-- When all that names whoever bought was taken out of an order. What is left names nobody: amounts, taxes, lines, country and region.
ALTER TABLE orders ADD COLUMN erased_at INTEGER;
-- What was dealt with, by its name, where the log has no order.
CREATE INDEX audit_of_subject ON audit (subject) WHERE order_id IS NULL AND action = 'resolve';
-- The log is only added to, but for words about a person who was erased: that something was done, by whom and when, stays.
DROP TRIGGER audit_is_not_changed;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
WHEN NEW.detail IS NOT 'erased' OR NEW.id IS NOT OLD.id OR NEW.at IS NOT OLD.at OR NEW.operator IS NOT OLD.operator
    OR NEW.action IS NOT OLD.action OR NEW.subject IS NOT OLD.subject OR NEW.order_id IS NOT OLD.order_id
    OR NEW."before" IS NOT OLD."before" OR NEW."after" IS NOT OLD."after" OR NEW.key IS NOT OLD.key
    OR NOT EXISTS (SELECT 1 FROM orders WHERE orders.erased_at IS NOT NULL AND orders.id IN
        (SELECT OLD.order_id UNION ALL SELECT order_id FROM attempts WHERE attempts.id = OLD.subject
         UNION ALL SELECT order_id FROM refunds WHERE refunds.id = OLD.subject
         UNION ALL SELECT order_id FROM withdrawals WHERE withdrawals.id = OLD.subject
         UNION ALL SELECT paid.id FROM orphans JOIN orders AS paid ON paid.checkout = orphans.checkout WHERE orphans.reference = OLD.subject))
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
