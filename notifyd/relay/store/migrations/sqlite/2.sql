-- Tokens and devices get numbers in the order of their creation. The UUID that identified a token
-- in schema 1 stays valid. Idempotency keys and a second sequence belong to workspaces, and the
-- rate limit is kept on disk.

DROP INDEX tokens_by_workspace;
DROP INDEX answers_by_age;
ALTER TABLE tokens RENAME TO tokens_1;
ALTER TABLE devices RENAME TO devices_1;
ALTER TABLE notifications RENAME TO notifications_1;
ALTER TABLE answers RENAME TO answers_1;

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT UNIQUE,
    workspace_id TEXT NOT NULL,
    name TEXT,
    metadata TEXT NOT NULL,
    token_prefix TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    last_used_at REAL,
    revoked_at REAL
);
CREATE INDEX tokens_by_workspace ON tokens (workspace_id, id);
INSERT INTO tokens (uuid, workspace_id, name, metadata, token_prefix, token_hash, created_at,
        last_used_at, revoked_at)
    SELECT id, workspace_id, name, metadata, token_prefix, token_hash, created_at,
        last_used_at, revoked_at
    FROM tokens_1 ORDER BY created_at, id;

CREATE TABLE devices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id TEXT NOT NULL UNIQUE,
    fcm_token TEXT NOT NULL,
    platform TEXT,
    device_info TEXT NOT NULL,
    created_at REAL NOT NULL,
    last_seen_at REAL NOT NULL
);
INSERT INTO devices (device_id, fcm_token, platform, device_info, created_at, last_seen_at)
    SELECT device_id, fcm_token, platform, device_info, created_at, updated_at
    FROM devices_1 ORDER BY created_at, device_id;

-- seq counts all notifications, so that a page resumes after the last one it saw. workspace_seq
-- counts those of one workspace. No number of either is used twice.
CREATE TABLE notifications (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id TEXT NOT NULL,
    workspace_seq INTEGER NOT NULL,
    token_id INTEGER,
    token_name TEXT,
    title TEXT,
    body TEXT,
    data TEXT NOT NULL,
    received_at REAL NOT NULL
);
CREATE UNIQUE INDEX notifications_by_workspace ON notifications (workspace_id, workspace_seq);
INSERT INTO notifications
    SELECT old.seq, old.workspace_id,
        row_number() OVER (PARTITION BY old.workspace_id ORDER BY old.seq),
        tokens.id, old.token_name, old.title, old.body, old.data, old.received_at
    FROM notifications_1 AS old LEFT JOIN tokens ON tokens.uuid = old.token_id ORDER BY old.seq;

CREATE TABLE workspaces (
    workspace_id TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO workspaces
    SELECT workspace_id, max(workspace_seq) FROM notifications GROUP BY workspace_id;

-- A table of its own: notifications are deleted by number, these rows by age.
CREATE TABLE answers (
    workspace_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    devices INTEGER NOT NULL,
    answered_at REAL NOT NULL,
    PRIMARY KEY (workspace_id, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (answered_at);
INSERT OR IGNORE INTO answers
    SELECT coalesce(tokens.workspace_id, sent.workspace_id), old.idempotency_key, old.devices,
        old.answered_at
    FROM answers_1 AS old
    LEFT JOIN tokens ON tokens.uuid = old.token_id
    LEFT JOIN notifications_1 AS sent
        ON sent.token_id = old.token_id AND sent.idempotency_key = old.idempotency_key
    WHERE coalesce(tokens.workspace_id, sent.workspace_id) IS NOT NULL
    ORDER BY old.answered_at DESC;

CREATE TABLE requests (
    workspace_id TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX requests_by_workspace ON requests (workspace_id, at);
CREATE INDEX requests_by_age ON requests (at);

DROP TABLE tokens_1;
DROP TABLE devices_1;
DROP TABLE notifications_1;
DROP TABLE answers_1;
