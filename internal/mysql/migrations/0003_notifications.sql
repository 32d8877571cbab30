-- Copies of what was sent, as Notify reports it (docs/rules.md, notifications table).
-- GovWifi's own table is too narrow for what Notify answers today (docs/facts.md, A5):
-- its columns are widened, never narrowed. Widening may rebuild the table, which
-- blocks writes to it for that time; nothing but the daily copy writes to it.

CREATE TABLE IF NOT EXISTS notifications (
  id varchar(36) NOT NULL,
  reference varchar(200) NULL,
  email_address varchar(100) NULL,
  phone_number varchar(100) NULL,
  type varchar(6) NULL,
  status varchar(20) NULL,
  template_version varchar(10) NULL,
  template_id varchar(36) NULL,
  template_uri varchar(255) NULL,
  body text NULL,
  subject varchar(255) NULL,
  created_at timestamp NULL,
  sent_at datetime NULL,
  completed_at datetime NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'reference' AND character_maximum_length < 200
ALTER TABLE notifications MODIFY COLUMN reference varchar(200) NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'email_address' AND character_maximum_length < 100
ALTER TABLE notifications MODIFY COLUMN email_address varchar(100) NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'phone_number' AND character_maximum_length < 100
ALTER TABLE notifications MODIFY COLUMN phone_number varchar(100) NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'type' AND character_maximum_length < 6
ALTER TABLE notifications MODIFY COLUMN type varchar(6) NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'status' AND character_maximum_length < 20
ALTER TABLE notifications MODIFY COLUMN status varchar(20) NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'template_version' AND character_maximum_length < 10
ALTER TABLE notifications MODIFY COLUMN template_version varchar(10) NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'template_id' AND character_maximum_length < 36
ALTER TABLE notifications MODIFY COLUMN template_id varchar(36) NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'template_uri' AND character_maximum_length < 255
ALTER TABLE notifications MODIFY COLUMN template_uri varchar(255) NULL;

-- Subject and body are people's prose: the old three-byte utf8 cannot hold all of it.

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'subject' AND (character_maximum_length < 255 OR
-- character_maximum_length = 255 AND character_set_name <> 'utf8mb4')
ALTER TABLE notifications MODIFY COLUMN subject varchar(255) CHARACTER SET utf8mb4 NULL;

-- when: SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'body' AND (character_maximum_length < 65535 OR
-- character_maximum_length = 65535 AND character_set_name <> 'utf8mb4')
ALTER TABLE notifications MODIFY COLUMN body text CHARACTER SET utf8mb4 NULL;
