-- The people: one row each, shared with authentication-api, logging-api and the
-- admin application (docs/contract.md, Data). On GovWifi's own database the table is
-- there already and only lacks what came later.

CREATE TABLE IF NOT EXISTS userdetails (
  username varchar(10) NOT NULL,
  contact varchar(100) NULL,
  sponsor varchar(100) NULL,
  password varchar(64) NULL,
  email varchar(100) NULL,
  mobile varchar(20) NULL,
  notifications_opt_out tinyint(1) NOT NULL DEFAULT 0,
  survey_opt_out tinyint(1) NOT NULL DEFAULT 0,
  created_at timestamp NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  last_login datetime NULL,
  signup_survey_sent_at datetime NULL,
  followup_sent_at datetime NULL,
  PRIMARY KEY (username),
  KEY userdetails_contact (contact),
  KEY userdetails_created_at (created_at),
  KEY userdetails_last_login (last_login)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;

-- when: SELECT COUNT(*) = 0 FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'notifications_opt_out'
ALTER TABLE userdetails ADD COLUMN notifications_opt_out tinyint(1) NOT NULL DEFAULT 0;

-- when: SELECT COUNT(*) = 0 FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'survey_opt_out'
ALTER TABLE userdetails ADD COLUMN survey_opt_out tinyint(1) NOT NULL DEFAULT 0;

-- when: SELECT COUNT(*) = 0 FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'signup_survey_sent_at'
ALTER TABLE userdetails ADD COLUMN signup_survey_sent_at datetime NULL;

-- when: SELECT COUNT(*) = 0 FROM information_schema.columns WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'followup_sent_at'
ALTER TABLE userdetails ADD COLUMN followup_sent_at datetime NULL;

-- when: SELECT COUNT(*) = 0 FROM information_schema.statistics WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'contact' AND seq_in_index = 1
ALTER TABLE userdetails ADD KEY userdetails_contact (contact);

-- when: SELECT COUNT(*) = 0 FROM information_schema.statistics WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'created_at' AND seq_in_index = 1
ALTER TABLE userdetails ADD KEY userdetails_created_at (created_at);

-- when: SELECT COUNT(*) = 0 FROM information_schema.statistics WHERE table_schema = DATABASE()
-- AND table_name = 'userdetails' AND column_name = 'last_login' AND seq_in_index = 1
ALTER TABLE userdetails ADD KEY userdetails_last_login (last_login);
