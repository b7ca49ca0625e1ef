-- A relay's database of schema 1, as its code wrote it.
BEGIN TRANSACTION;
CREATE TABLE answers (
    token_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    devices INTEGER NOT NULL,
    answered_at REAL NOT NULL,
    PRIMARY KEY (token_id, idempotency_key)
) WITHOUT ROWID;
INSERT INTO "answers" VALUES('1c774aa0-e8fd-4fcc-9acd-960f73c184b4','k1',3,1000.0);
INSERT INTO "answers" VALUES('33936503-7746-4760-9700-92487af2c8e3','k1',4,1001.0);
INSERT INTO "answers" VALUES('4b4eb66c-1542-465d-b1a1-589f3fd5ad62','k1',1,1004.0);
INSERT INTO "answers" VALUES('bf12b9e6-d391-484e-a17b-3f56552d01da','k2',6,1003.0);
CREATE TABLE devices (
    device_id TEXT PRIMARY KEY,
    fcm_token TEXT NOT NULL,
    platform TEXT NOT NULL,
    device_info TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
) WITHOUT ROWID;
INSERT INTO "devices" VALUES('2','fcm-2','ios','{"n": 1}',11.0,21.0);
INSERT INTO "devices" VALUES('phone','fcm-phone','ios','{"n": 0}',10.0,20.0);
INSERT INTO "devices" VALUES('tablet','fcm-tablet','ios','{"n": 2}',12.0,22.0);
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
INSERT INTO "notifications" VALUES(1,'1c774aa0-e8fd-4fcc-9acd-960f73c184b4','laptop','w1','title 0','body 0','{"i": 0}','k1',1000.0);
INSERT INTO "notifications" VALUES(2,'33936503-7746-4760-9700-92487af2c8e3',NULL,'w2','title 1','body 1','{"i": 1}','k1',1001.0);
INSERT INTO "notifications" VALUES(3,'1c774aa0-e8fd-4fcc-9acd-960f73c184b4','laptop','w1','title 2','body 2','{"i": 2}',NULL,1002.0);
INSERT INTO "notifications" VALUES(4,'bf12b9e6-d391-484e-a17b-3f56552d01da','gone','w1','title 3','body 3','{"i": 3}','k2',1003.0);
INSERT INTO "notifications" VALUES(5,'4b4eb66c-1542-465d-b1a1-589f3fd5ad62','revoked','w1','title 4','body 4','{"i": 4}','k1',1004.0);
INSERT INTO "notifications" VALUES(6,'33936503-7746-4760-9700-92487af2c8e3',NULL,'w2','title 5','body 5','{"i": 5}',NULL,1005.0);
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "settings" VALUES('client_id',X'BCDDF80C05AB795C702208EC3CB4D61D668AECE4695134AB4382CEAB35DCC049');
INSERT INTO "settings" VALUES('client_secret',X'D526E976D3B3448843D9E773BD7BAB24789E8BFB287E2721F4D9667E656AF744');
INSERT INTO "settings" VALUES('inbox_key',X'6F4F3746525A44503051556D7471584C3459584E6F3941554B36584B7A366B75');
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
INSERT INTO "tokens" VALUES('1c774aa0-e8fd-4fcc-9acd-960f73c184b4','w1','laptop','{"channel": "ci"}','onp_7Athwmv1',X'85CB0E7FA7A52321BC7B5A0D65F8820168543FE1964E3FF2D4DBD5850AB6544E',100.0,1002.0,NULL);
INSERT INTO "tokens" VALUES('33936503-7746-4760-9700-92487af2c8e3','w2',NULL,'{}','onp_X5TKtvom',X'C37A8F67B73100DDB559BFF85E1A8EFE4848A1F3CB13C30FF7FC520661EE7162',200.0,1005.0,NULL);
INSERT INTO "tokens" VALUES('4b4eb66c-1542-465d-b1a1-589f3fd5ad62','w1','revoked','{"device_id": "phone"}','onp_zKwO4S6C',X'8DF692DD85EDA1242EFBE1D1981FFE55B5C5EC0EFC816F1346271344C6178F62',400.0,1004.0,1100.0);
CREATE INDEX tokens_by_workspace ON tokens (workspace_id, created_at);
CREATE INDEX answers_by_age ON answers (answered_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('notifications',6);
COMMIT;
PRAGMA user_version = 1;
