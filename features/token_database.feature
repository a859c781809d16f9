@alone
Feature: The token database at home in a server
  Records, certificates and the activity log are kept in a file, in PostgreSQL, or in a directory by the
  names that Dogtag gives them. Whichever it is, people notice nothing: every operation leaves the same
  behind, and what dies in the middle is put right.

  Scenario Outline: A token's life
    Given a token management system with the usual users
    And the token database is kept in <home>
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    When "alice" enrolls the card with the PIN "2468"
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token holds certificates for "signing, encryption"
    And no intent is left open for the token
    When the token management system is stopped and started again
    Then the token is ACTIVE and belongs to "alice"
    And the activity log of the token reads
      | operation      | result  |
      | add            | success |
      | key_changeover | success |
      | format         | success |
      | enrollment     | success |
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And the token has no certificate records
    And no certificate of the token is valid

    @postgresql
    Examples: in an SQL database
      | home       |
      | PostgreSQL |

    @slapd
    Examples: in OpenLDAP
      | home     |
      | OpenLDAP |

    @389ds
    Examples: in the 389 Directory Server
      | home                 |
      | 389 Directory Server |

  Scenario Outline: A lost token is put on hold, found, and lost for good
    Given a token management system with the usual users
    And the token database is kept in <home>
    And an ACTIVE token of stock "gp211-scp02" that belongs to "bob"
    When an agent reports the token as SUSPENDED
    Then openssl and the certificate authority agree that the "signing" certificate is on hold
    When an agent reports the token as ACTIVE
    Then openssl and the certificate authority agree that the "signing" certificate is valid
    And the activity log of the token holds 2 successful "cert_unrevocation" entries
    When an agent reports the token as PERM_LOST
    Then openssl and the certificate authority agree that the "signing" certificate is revoked
    And openssl and the certificate authority agree that the "encryption" certificate is revoked
    And no certificate of the token is valid

    @postgresql
    Examples: in an SQL database
      | home       |
      | PostgreSQL |

    @slapd
    Examples: in OpenLDAP
      | home     |
      | OpenLDAP |

    @389ds
    Examples: in the 389 Directory Server
      | home                 |
      | 389 Directory Server |

  Scenario Outline: An enrollment without the certificate authority leaves nothing behind
    Given a token management system with the usual users
    And the token database is kept in <home>
    And a FORMATTED token of stock "gp211-scp02"
    And the certificate authority is out of reach
    When "alice" enrolls the card
    Then the operation fails
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then no certificate of the token is valid
    And no intent is left open for the token
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"

    @postgresql
    Examples: in an SQL database
      | home       |
      | PostgreSQL |

    @slapd
    Examples: in OpenLDAP
      | home     |
      | OpenLDAP |

    @389ds
    Examples: in the 389 Directory Server
      | home                 |
      | 389 Directory Server |

  @cut
  Scenario Outline: The server is killed at each intent and each outcome
    Given the token database is kept in <home>
    When the server of a "gp211-scp02" card is killed at each intent and outcome of a format in turn, and the card is formatted again each time
    Then every card ends as a FORMATTED token with key version "02"

    @postgresql
    Examples: in an SQL database
      | home       |
      | PostgreSQL |

    @slapd
    Examples: in OpenLDAP
      | home     |
      | OpenLDAP |

    @389ds
    Examples: in the 389 Directory Server
      | home                 |
      | 389 Directory Server |
