-- A database as schema 1 left it (a daemon that was killed), but for rows that never expire.
BEGIN TRANSACTION;
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
INSERT INTO "notifications" VALUES('01a212e9-0261-7657-9838-3e02e654959c','delivered','socket','default',1,1.79561359011301207547e+09,4000000000000.0,0.0,1,0,'','',0,0,3537,'','','{"delivered": 1, "failed": 0, "devices": 1}','arrived','first','{"notification_id": "01a212e9-0261-7657-9838-3e02e654959c", "trigger": "socket", "priority": "default", "count": "1"}',1.79561359012406539922e+09);
INSERT INTO "notifications" VALUES('01a212e9-0273-7d68-ba32-bb3c330d365a','queued','socket','urgent',1,1.79561359013166046147e+09,4000000000000.0,1.13729630538857618381e+04,3,3,'','',0,0,3537,'the API answered 503 (Service Unavailable)','',NULL,'urgent one','tried','{"k": "ä", "notification_id": "01a212e9-0273-7d68-ba32-bb3c330d365a", "trigger": "socket", "priority": "urgent", "count": "1"}',1.79561359301765894888e+09);
INSERT INTO "notifications" VALUES('01a212e9-0644-7ec9-ba92-85e0e3114fee','queued','socket','high',1,1.79561359110876083379e+09,4000000000000.0,0.0,0,0,'','build',0,0,3537,'','',NULL,'high','queued','{"notification_id": "01a212e9-0644-7ec9-ba92-85e0e3114fee", "trigger": "socket", "priority": "high", "count": "1"}',1.79561359110876083379e+09);
INSERT INTO "notifications" VALUES('01a212e9-0649-7b10-bf26-8fdd2928f1a1','held','socket','high',1,1.79561359111341261856e+09,4000000000000.0,14967.401097638,0,0,'','',0,0,3537,'','',NULL,'held','later','{"notification_id": "01a212e9-0649-7b10-bf26-8fdd2928f1a1", "trigger": "socket", "priority": "high", "count": "1"}',1.79561359111341261856e+09);
INSERT INTO "notifications" VALUES('01a212e9-064d-7dce-aced-a534efe7c34f','cancelled','socket','default',1,1.79561359111707592012e+09,4000000000000.0,14967.404761239,0,0,'','',0,0,3537,'','',NULL,'cancelled','','{"notification_id": "01a212e9-064d-7dce-aced-a534efe7c34f", "trigger": "socket", "priority": "default", "count": "1"}',1.7956135911185715199e+09);
INSERT INTO "notifications" VALUES('01a212e9-06bc-7be6-9cef-2df5a7e3ba45','queued','app','default',2,1795613591.2285,4000000000000.0,0.0,0,0,'["app", "ann"]','',NULL,NULL,NULL,'','',NULL,'app (ann): 2 ×','request by ann failed
request by ann failed
2 × at 13:33:11','{"notification_id": "01a212e9-06bc-7be6-9cef-2df5a7e3ba45", "trigger": "app", "priority": "default", "count": "2"}',1795613591.2285);
CREATE TABLE pieces (            -- the fold's state, one JSON text per group, digest, ledger
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "pieces" VALUES('books:','{"gate":{"sending":"waiting","error":"the API answered 503 (Service Unavailable)","resume":11372.963053885762,"streak":3,"slots":[11366.411750552,11366.425356632,11367.390517201,11369.305343973],"refused_since":0.0,"forbidden":null,"in_flight":"","worker_free":true},"spent":[11366.400696674,11367.516185305],"seed":"61a633d650c71f332eaff5e8bf05fb83","serial":10}');
INSERT INTO "pieces" VALUES('clock','{"boot": "b1a08a15-0e00-4788-923c-8be120c7a0f6", "monotonic": 11369.305343973, "mono": 11369.305343973, "wall": 1795613593.017659}');
INSERT INTO "pieces" VALUES('digest:budget','{"id":"01a212e9-06bc-722b-9a83-0b91912138af","digest":{"reason":"budget","counts":{"app":3},"first":1795613591.2285,"last":1795613591.2285,"lines":["request by bob failed","request by cy failed","request by dan failed"]},"due":14966.400696674,"placed":false}');
INSERT INTO "pieces" VALUES('group:["app", "ann"]','{"trigger":"app","values":["ann"],"identity":"app\u0000log\u0000user","window":[],"recent":[],"tally":{"count":2,"first":1795613592.623486,"last":1795613592.623486,"first_line":"request by ann failed","lines":["request by ann failed","request by ann failed"],"paths":["/srv/app/app.log"],"event":["app",1795613592.623486,"request by ann failed","/srv/app/app.log",{"user":"ann"},{"pattern":"0"}]},"since":11368.91151063,"due":14967.516185305,"cooling":14967.516185305,"cooldown":3600.0,"seen":11368.91151063,"open":"01a212e9-06bc-7be6-9cef-2df5a7e3ba45","told":{"count":2,"first":1795613591.1269028,"last":1795613591.1269028,"first_line":"request by ann failed","lines":["request by ann failed","request by ann failed"],"paths":["/srv/app/app.log"],"event":["app",1795613591.1269028,"request by ann failed","/srv/app/app.log",{"user":"ann"},{"pattern":"0"}]}}');
INSERT INTO "pieces" VALUES('group:["app", "bob"]','{"trigger":"app","values":["bob"],"identity":"app\u0000log\u0000user","window":[],"recent":[],"tally":null,"since":11367.414920343,"due":11367.514920343001,"cooling":14967.516185305,"cooldown":3600.0,"seen":11367.414920343,"open":"","told":null}');
INSERT INTO "pieces" VALUES('group:["app", "cy"]','{"trigger":"app","values":["cy"],"identity":"app\u0000log\u0000user","window":[],"recent":[],"tally":null,"since":11367.414920343,"due":11367.514920343001,"cooling":14967.516185305,"cooldown":3600.0,"seen":11367.414920343,"open":"","told":null}');
INSERT INTO "pieces" VALUES('group:["app", "dan"]','{"trigger":"app","values":["dan"],"identity":"app\u0000log\u0000user","window":[],"recent":[],"tally":null,"since":11367.414920343,"due":11367.514920343001,"cooling":14967.516185305,"cooldown":3600.0,"seen":11367.414920343,"open":"","told":null}');
INSERT INTO "pieces" VALUES('group:["slow"]','{"trigger":"slow","values":[],"identity":"slow\u0000log","window":[11367.414920343,11367.414920343],"recent":[["slow",1795613591.1269028,"slow 1","/srv/app/app.log",{},{"pattern":"0"}],["slow",1795613591.1269028,"slow 2","/srv/app/app.log",{},{"pattern":"0"}]],"tally":null,"since":0.0,"due":0.0,"cooling":0.0,"cooldown":0.0,"seen":11367.414920343,"open":"","told":null}');
INSERT INTO "pieces" VALUES('ledger:app','{"matches":7,"notifications":1,"below_threshold":0,"reason":"cooling down: told when that ends"}');
INSERT INTO "pieces" VALUES('ledger:slow','{"matches":2,"notifications":0,"below_threshold":0,"reason":"below the threshold so far"}');
INSERT INTO "pieces" VALUES('ledger:socket','{"matches":5,"notifications":3,"below_threshold":0,"reason":""}');
CREATE TABLE positions (         -- what the sources must remember, by keys of their own
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "positions" VALUES('log:armed:app:/srv/app/app.log','1795613590.1041703');
INSERT INTO "positions" VALUES('log:armed:slow:/srv/app/app.log','1795613590.1041703');
INSERT INTO "positions" VALUES('log:file:65024:2190485:','{"path":"/srv/app/app.log","offset":167,"check":"40d1029b909c80ec","skipping":false,"blank":false,"since":{"app":0,"slow":0},"until":null,"seen":1795613592.623276,"modified":1795613592617600258}');
CREATE INDEX waiting ON notifications (status) WHERE status IN ('held', 'queued', 'attempting');
CREATE INDEX newest ON notifications (created);
COMMIT;
PRAGMA user_version = 1;
