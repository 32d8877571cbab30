-- A message is found by the key of the job that sent it: by delivery receipts, and by
-- operators who ask what became of it (docs/runbook.md). Building the index is online in
-- InnoDB: others go on writing.

-- when: SELECT COUNT(*) = 0 FROM information_schema.statistics WHERE table_schema = DATABASE()
-- AND table_name = 'notifications' AND column_name = 'reference' AND seq_in_index = 1
ALTER TABLE notifications ADD KEY notifications_reference (reference);
