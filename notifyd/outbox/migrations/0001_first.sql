-- Times are seconds: created, expires and changed on the wall clock, release on the daemon's own
-- monotonic clock. Empty text means "none". `pieces` holds the fold's state, `positions` the
-- checkpoints of sources. The text of the statements is part of the stored format.

CREATE TABLE pieces (            -- the fold's state, one JSON text per group, digest, ledger
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE positions (         -- what the sources must remember, by keys of their own
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE notifications (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    trigger TEXT NOT NULL,
    priority TEXT NOT NULL,
    count INTEGER NOT NULL,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    release REAL NOT NULL,
    attempts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    "group" TEXT NOT NULL,
    key TEXT NOT NULL,
    uid INTEGER,
    gid INTEGER,
    pid INTEGER,
    last_error TEXT NOT NULL,
    merged_into TEXT NOT NULL,
    report TEXT,                 -- JSON: the API's own figures
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    data TEXT NOT NULL,          -- JSON, as it is sent
    changed REAL NOT NULL
) WITHOUT ROWID;

CREATE INDEX waiting ON notifications (status) WHERE status IN ('held', 'queued', 'attempting');
CREATE INDEX newest ON notifications (created);
