-- The fleet: what each workspace reported last, and what was said about it. A workspace counts as
-- missing from due_at on; NULL: never, because it announced that it stops or sleeps. missing_at:
-- when it was found to be missing; told_at: when a notification said so; back_at: when it reported
-- again, until a notification says that. watched_as: what a person chose on the page.

CREATE TABLE fleet_workspaces (
    workspace_id TEXT PRIMARY KEY,
    report TEXT NOT NULL,
    first_at DOUBLE PRECISION NOT NULL,
    reported_at DOUBLE PRECISION NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL,
    due_at DOUBLE PRECISION,
    ephemeral INTEGER NOT NULL,
    watched_as TEXT NOT NULL DEFAULT '',
    paused_until DOUBLE PRECISION,
    missing_at DOUBLE PRECISION,
    told_at DOUBLE PRECISION,
    back_at DOUBLE PRECISION
);
CREATE INDEX fleet_by_change ON fleet_workspaces (changed_at);
CREATE INDEX fleet_by_due ON fleet_workspaces (due_at) WHERE missing_at IS NULL;

-- One row for each notification about a workspace: the key keeps several relays from saying it twice.
CREATE TABLE fleet_transitions (
    workspace_id TEXT NOT NULL,
    transition TEXT NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (workspace_id, transition, since)
);

-- One row. alive_at: when a relay last looked. quiet_until: nobody counts as missing before.
-- merged_until: before it, no further notification about missing workspaces.
CREATE TABLE fleet_watch (
    id INTEGER PRIMARY KEY,
    rounds BIGINT NOT NULL,
    alive_at DOUBLE PRECISION NOT NULL,
    quiet_until DOUBLE PRECISION NOT NULL,
    merged_until DOUBLE PRECISION NOT NULL
);
