-- One row for every serial number that was ever chosen. Rows are never deleted, so that none is
-- chosen twice. der is NULL from the moment that it is decided what is to be signed (tbs) until
-- the signed certificate is on record.
CREATE TABLE certs (
	serial      TEXT PRIMARY KEY,             -- hex, no leading zeros
	request_id  TEXT NOT NULL UNIQUE,
	digest      BLOB NOT NULL,                -- of the request
	profile     TEXT NOT NULL,
	subject     TEXT NOT NULL,
	user_id     TEXT NOT NULL,
	cuid        TEXT NOT NULL,
	token_type  TEXT NOT NULL,
	requester   TEXT NOT NULL,
	renews      TEXT NOT NULL,                -- serial of the certificate that this one succeeds
	tbs         BLOB,                         -- NULL once der is there: it is a part of it
	der         BLOB,
	state       INTEGER NOT NULL,
	reason      INTEGER NOT NULL,
	revoked_at  INTEGER NOT NULL,             -- seconds
	not_before  INTEGER NOT NULL,
	not_after   INTEGER NOT NULL,
	created     INTEGER NOT NULL,             -- nanoseconds
	rev         INTEGER NOT NULL              -- of the last change of state
) STRICT, WITHOUT ROWID;

CREATE INDEX certs_listed ON certs (serial) WHERE state IN (2, 3);
CREATE INDEX certs_changed ON certs (rev) WHERE rev > 0;
CREATE INDEX certs_user ON certs (user_id, created) WHERE user_id <> '';
CREATE INDEX certs_cuid ON certs (cuid, created) WHERE cuid <> '';
CREATE INDEX certs_created ON certs (created, serial);

-- What was done, by whom; written in the transaction that does it.
CREATE TABLE events (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	at      INTEGER NOT NULL,
	op      TEXT NOT NULL,
	serial  TEXT NOT NULL,
	detail  TEXT NOT NULL,
	actor   TEXT NOT NULL,
	session TEXT NOT NULL
) STRICT;

CREATE INDEX events_serial ON events (serial, id);

-- Certificate revocation lists. A number is taken before its list is signed; der is NULL until
-- then, and for good when nobody lived to sign it.
CREATE TABLE crls (
	number      INTEGER PRIMARY KEY AUTOINCREMENT,
	base        INTEGER NOT NULL,             -- number of the full list a delta adds to; 0: full
	rev         INTEGER NOT NULL,             -- changes up to this one are in
	this_update INTEGER NOT NULL,
	next_update INTEGER NOT NULL,
	entries     INTEGER NOT NULL,
	der         BLOB
) STRICT;

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('rev', 0);
