-- Times are wall-clock seconds since the epoch. Of send tokens and of the client secret only
-- SHA-256 hashes are here. The inbox key stands in plain text: it opens nothing but the
-- notifications in this same file, and the page's address must be shown again at each start.

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

-- AUTOINCREMENT: a number is never used twice, so a page can say which one it saw last.
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

-- Apart from the notifications, which are dropped by number: these are dropped by age.
CREATE TABLE answers (
    token_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    devices INTEGER NOT NULL,
    answered_at REAL NOT NULL,
    PRIMARY KEY (token_id, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (answered_at);
