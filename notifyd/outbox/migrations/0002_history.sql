-- Indices for pruning by the time a notification finished, and for lists by owner and by trigger.
-- State entries may be of kinds that an earlier notifyd does not know.

CREATE INDEX ended ON notifications (changed) WHERE status NOT IN ('held', 'queued', 'attempting');
CREATE INDEX owners ON notifications (uid, created) WHERE uid IS NOT NULL;
CREATE INDEX triggers ON notifications ("trigger", created);
