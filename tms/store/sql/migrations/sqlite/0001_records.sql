-- Token records, their history, and the intents recorded before steps on a card
-- that cannot be undone. Times are nanoseconds since 1970 UTC, 0 is no time.
-- Cards are 20 upper-case hexadecimal digits.

CREATE TABLE tokens (
    cuid           TEXT    NOT NULL PRIMARY KEY CHECK (length(cuid) = 20),
    user_id        TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    status         INTEGER NOT NULL CHECK (status IN (0, 1, 2, 3, 4, 6, 7)),
    reason         TEXT    NOT NULL,
    before_status  INTEGER NOT NULL CHECK (before_status IN (0, 1, 2, 3, 4, 6, 7)),
    applet_id      TEXT    NOT NULL,
    key_info       TEXT    NOT NULL,
    policy         TEXT    NOT NULL,
    created        INTEGER NOT NULL,
    modified       INTEGER NOT NULL,
    modified_by    TEXT    NOT NULL,
    modified_why   TEXT    NOT NULL,
    rev            INTEGER NOT NULL CHECK (rev > 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_modified ON tokens (modified, cuid);
CREATE INDEX tokens_by_user     ON tokens (user_id, modified, cuid);
CREATE INDEX tokens_by_type     ON tokens (type, modified, cuid);
CREATE INDEX tokens_by_status   ON tokens (status, modified, cuid);

-- The last revision of deleted records, so that a record added again for the
-- same card never repeats a revision.
CREATE TABLE former_tokens (
    cuid TEXT    NOT NULL PRIMARY KEY,
    rev  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE activities (
    id      INTEGER PRIMARY KEY,
    cuid    TEXT    NOT NULL,
    user_id TEXT    NOT NULL,
    actor   TEXT    NOT NULL,
    ip      TEXT    NOT NULL,
    op      TEXT    NOT NULL,
    result  TEXT    NOT NULL,
    message TEXT    NOT NULL,
    type    TEXT    NOT NULL,
    session TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE INDEX activities_by_time    ON activities (at, id);
CREATE INDEX activities_by_card    ON activities (cuid, at, id);
CREATE INDEX activities_by_user    ON activities (user_id, at, id);
CREATE INDEX activities_by_session ON activities (session, at, id);
CREATE INDEX activities_by_op      ON activities (op, at, id);

CREATE TABLE intents (
    id        TEXT    NOT NULL PRIMARY KEY,
    cuid      TEXT    NOT NULL,
    session   TEXT    NOT NULL,
    actor     TEXT    NOT NULL,
    op        TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    from_info TEXT    NOT NULL,
    to_info   TEXT    NOT NULL,
    seq       INTEGER NOT NULL UNIQUE,
    at        INTEGER NOT NULL,
    outcome   TEXT    NOT NULL,
    ended     INTEGER NOT NULL,
    ended_by  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX intents_by_card      ON intents (cuid, seq);
CREATE INDEX intents_open         ON intents (seq) WHERE outcome = '';
CREATE INDEX intents_open_by_card ON intents (cuid, seq) WHERE outcome = '';
