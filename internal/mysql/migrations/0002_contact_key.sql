-- One user per contact from here on (docs/decisions/0012-one-user-per-contact.md).
-- Rows that exist, and rows of other services, have no key: NULLs never collide.
-- Both changes are online in InnoDB: the first is instant, the second reads the
-- table once while others go on writing.

-- when: SELECT COUNT(*) = 0 FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'contact_key'
ALTER TABLE userdetails ADD COLUMN contact_key char(64) CHARACTER SET ascii COLLATE ascii_bin NULL;

-- when: SELECT COUNT(*) = 0 FROM information_schema.statistics WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND index_name = 'userdetails_contact_key'
ALTER TABLE userdetails ADD UNIQUE KEY userdetails_contact_key (contact_key);
