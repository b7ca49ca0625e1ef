-- Times are wall-clock seconds since the epoch. Send tokens and the client's credentials are
-- stored as SHA-256 hashes. The inbox key is in plain text: the page's URL is printed at each
-- start, and it gives access only to the notifications in this file.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    name TEXT,
    metadata TEXT NOT NULL,
    token_prefix TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    last_used_at REAL,
    revoked_at REAL
) WITHOUT ROWID;
CREATE INDEX tokens_by_workspace ON tokens (workspace_id, created_at);

CREATE TABLE devices (
    device_id TEXT PRIMARY KEY,
    fcm_token TEXT NOT NULL,
    platform TEXT NOT NULL,
    device_info TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT: no number is used twice, so a page can resume after the last one it saw.
CREATE TABLE notifications (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    token_id TEXT NOT NULL,
    token_name TEXT,
    workspace_id TEXT NOT NULL,
    title TEXT,
    body TEXT,
    data TEXT NOT NULL,
    idempotency_key TEXT,
    received_at REAL NOT NULL
);

-- A table of its own: notifications are deleted by number, these rows by age.
CREATE TABLE answers (
    token_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    devices INTEGER NOT NULL,
    answered_at REAL NOT NULL,
    PRIMARY KEY (token_id, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (answered_at);
