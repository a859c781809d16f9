-- Certificates by the token that holds them, or held them. One that several tokens
-- share has a row for each. Serial numbers are lower-case hexadecimal digits.

CREATE TABLE certificates (
    id         INTEGER PRIMARY KEY,
    cuid       TEXT    NOT NULL CHECK (length(cuid) = 20),
    issuer     TEXT    NOT NULL,
    serial     TEXT    NOT NULL,
    origin     TEXT    NOT NULL CHECK (length(origin) = 20),
    subject    TEXT    NOT NULL,
    authority  TEXT    NOT NULL,
    ca         TEXT    NOT NULL,
    kra        TEXT    NOT NULL,
    key_id     TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    key_type   TEXT    NOT NULL,
    container  INTEGER NOT NULL,
    status     TEXT    NOT NULL,
    presence   TEXT    NOT NULL,
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    modified   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX certificates_by_card ON certificates (cuid, issuer, serial);
CREATE INDEX certificates_of_card     ON certificates (cuid, id);
CREATE INDEX certificates_by_serial   ON certificates (issuer, serial, id);
CREATE INDEX certificates_by_user     ON certificates (user_id, id);
CREATE INDEX certificates_by_presence ON certificates (presence, id);

-- What finishing or undoing a step takes.
ALTER TABLE intents ADD COLUMN detail TEXT NOT NULL DEFAULT '';
