-- What the periodic jobs must remember, in tables of our own: the shared one is not
-- widened for it.

-- Messages that a periodic job has planned (internal/job/planned.go): one for each
-- person, purpose and occasion. Rows are dropped after 30 days.
CREATE TABLE IF NOT EXISTS user_signup_messages (
  id char(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  purpose varchar(30) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  username varchar(10) NOT NULL,
  occasion datetime NOT NULL,
  planned_at datetime NOT NULL,
  sent_at datetime NULL,
  PRIMARY KEY (id),
  UNIQUE KEY user_signup_messages_once (username, purpose, occasion),
  KEY user_signup_messages_pending (purpose, sent_at, id),
  KEY user_signup_messages_planned_at (planned_at)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;

-- How far a job that goes on day after day has come.
CREATE TABLE IF NOT EXISTS user_signup_progress (
  job varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reached datetime(6) NOT NULL,
  PRIMARY KEY (job)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
