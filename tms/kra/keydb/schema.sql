-- Archived keys, who may have them besides their owner, what agents ask for and say, and the audit
-- trail. Times are nanoseconds since 1970 UTC, 0 is no time. Cards are 20 upper-case hex digits.

CREATE TABLE keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id  TEXT    UNIQUE CHECK (request_id <> ''), -- NULL: none
    cuid        TEXT    NOT NULL CHECK (length(cuid) = 20),
    user_id     TEXT    NOT NULL CHECK (user_id <> ''),
    type        TEXT    NOT NULL CHECK (type IN ('RSA', 'EC')),
    bits        INTEGER NOT NULL CHECK (bits > 0),
    usages      TEXT    NOT NULL,
    public_key  BLOB    NOT NULL,
    fingerprint BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    storage_key TEXT    NOT NULL,
    sealed      BLOB    NOT NULL,
    caller      TEXT    NOT NULL,
    created     INTEGER NOT NULL
) STRICT;

CREATE INDEX keys_by_user ON keys (user_id, id);
CREATE INDEX keys_by_card ON keys (cuid, id);

CREATE TABLE shares (
    key_id     INTEGER NOT NULL REFERENCES keys (id),
    user_id    TEXT    NOT NULL,
    request_id INTEGER NOT NULL REFERENCES requests (id),
    PRIMARY KEY (key_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id    INTEGER NOT NULL REFERENCES keys (id),
    purpose   TEXT    NOT NULL CHECK (purpose IN ('export', 'share')),
    user_id   TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    requester TEXT    NOT NULL,
    state     TEXT    NOT NULL CHECK (state IN ('open', 'rejected', 'cancelled', 'fulfilled')),
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    ended     INTEGER NOT NULL
) STRICT;

CREATE TABLE votes (
    request_id INTEGER NOT NULL REFERENCES requests (id),
    place      INTEGER NOT NULL,
    agent      TEXT    NOT NULL,
    approve    INTEGER NOT NULL CHECK (approve IN (0, 1)),
    at         INTEGER NOT NULL,
    PRIMARY KEY (request_id, agent),
    UNIQUE (request_id, place)
) STRICT;

-- mac chains each event to the one before it.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    outcome    TEXT    NOT NULL CHECK (outcome IN ('success', 'refused')),
    actor      TEXT    NOT NULL,
    session    TEXT    NOT NULL,
    key_id     INTEGER NOT NULL,
    request_id INTEGER NOT NULL,
    cuid       TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    mac        BLOB    NOT NULL
) STRICT;

CREATE INDEX events_by_key ON events (key_id, seq);
