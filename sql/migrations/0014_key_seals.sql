-- additive: yes
--
-- A key may seal so many items with random nonces only (NIST SP 800-38D 8.3): how many it did.

ALTER TABLE keys ADD COLUMN seals bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN keys.seals IS 'Items sealed with this key, written by every process each minute; at 2^30 the label gets a new key.';
