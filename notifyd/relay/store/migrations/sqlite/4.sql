-- A question that a notification asks. `key` is the Idempotency-Key of its request.

CREATE TABLE questions (
    workspace_id TEXT NOT NULL,
    key TEXT NOT NULL,
    workspace_seq INTEGER NOT NULL,
    options TEXT NOT NULL,
    asked_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    answer TEXT,
    answered_at REAL,
    withdrawn_at REAL,
    PRIMARY KEY (workspace_id, key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX questions_by_number ON questions (workspace_id, workspace_seq);
CREATE INDEX questions_by_age ON questions (asked_at);
