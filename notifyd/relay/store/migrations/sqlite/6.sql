-- Devices subscribe to workspaces and channels, JSON lists of which an empty one means all. `kind`
-- says how a device is reached, `address` where. A row of deliveries is a notification that is not
-- handed over yet; what could not be, and why, is in notifications.undelivered.

ALTER TABLE devices ADD COLUMN kind TEXT NOT NULL DEFAULT 'app';
ALTER TABLE devices ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN workspaces TEXT NOT NULL DEFAULT '[]';
ALTER TABLE devices ADD COLUMN channels TEXT NOT NULL DEFAULT '[]';
ALTER TABLE devices ADD COLUMN muted_until REAL NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN problem TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN retry_at REAL NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN claimed_until REAL NOT NULL DEFAULT 0;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id TEXT NOT NULL,
    workspace_seq INTEGER NOT NULL,
    device INTEGER NOT NULL,
    accepted_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    retry_at REAL NOT NULL DEFAULT 0
);
CREATE INDEX deliveries_by_device ON deliveries (device, id);
CREATE INDEX deliveries_by_age ON deliveries (accepted_at);

ALTER TABLE notifications ADD COLUMN undelivered TEXT NOT NULL DEFAULT '[]';
