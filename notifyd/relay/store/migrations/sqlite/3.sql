-- What the inbox filters by, and what was done with a notification there. `revision` is the number
-- of the last change to it, 0 if there was none; pages ask for what has changed since.

ALTER TABLE notifications ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN priority TEXT NOT NULL DEFAULT 'default';
ALTER TABLE notifications ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN search TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN read_at REAL;
ALTER TABLE notifications ADD COLUMN archived_at REAL;
ALTER TABLE notifications ADD COLUMN deleted_at REAL;

-- What was received before counts as read.
UPDATE notifications SET
    read_at = received_at,
    source = CASE json_type(data, '$.trigger') WHEN 'text' THEN json_extract(data, '$.trigger')
        ELSE '' END,
    channel = CASE json_type(data, '$.channel') WHEN 'text' THEN json_extract(data, '$.channel')
        ELSE '' END,
    priority = CASE WHEN json_extract(data, '$.priority') IN ('min', 'low', 'high', 'urgent')
        THEN json_extract(data, '$.priority') ELSE 'default' END,
    search = lower(coalesce(title, '') || char(10) || coalesce(body, '') || char(10)
        || coalesce(token_name, '') || char(10) || data);

CREATE INDEX notifications_by_time ON notifications (received_at);
CREATE INDEX notifications_by_revision ON notifications (revision) WHERE revision > 0;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters VALUES ('revision', 0);
