@alone
Feature: States of tokens, and the moves between them
  Every token is in one of seven states. People move it by hand when it is damaged, lost, found, put out of use
  or used again; operations on the card move it as they succeed. Which moves there are, two lists say, from
  which an organisation may take some away. With the state, the token's certificates are revoked, put on hold
  or released.

  Background:
    Given a token management system with the usual users

  Scenario: Every pair of states, by hand
    Then a token is moved by hand as this table says
      |                          | FORMATTED | DAMAGED | PERM_LOST | SUSPENDED | ACTIVE | TERMINATED | UNFORMATTED |
      | FORMATTED                | stays     | 0:1     | 0:2       | 0:3       | -      | 0:6        | -           |
      | DAMAGED                  | -         | stays   | -         | -         | -      | -          | -           |
      | PERM_LOST                | -         | -       | stays     | -         | -      | -          | -           |
      | SUSPENDED, was FORMATTED | 3:0       | -       | 3:2       | stays     | -      | 3:6        | -           |
      | SUSPENDED, was ACTIVE    | -         | -       | 3:2       | stays     | 3:4    | 3:6        | -           |
      | ACTIVE                   | -         | 4:1     | 4:2       | 4:3       | stays  | 4:6        | -           |
      | TERMINATED               | -         | -       | -         | -         | -      | stays      | 6:7         |
      | UNFORMATTED              | -         | -       | -         | -         | -      | -          | stays       |

  Scenario: Every pair of states, by hand, with the moves that older systems shipped as well
    Given the configuration says
      | tokendb.allowedTransitions | 0:1,0:2,0:3,0:6,3:2,3:6,4:1,4:2,4:3,4:6,6:7,1:2,7:1,7:2,6:1,6:2,3:1,3:4 |
    Then a token is moved by hand as this table says
      |                          | FORMATTED | DAMAGED | PERM_LOST | SUSPENDED | ACTIVE | TERMINATED | UNFORMATTED |
      | FORMATTED                | stays     | 0:1     | 0:2       | 0:3       | -      | 0:6        | -           |
      | DAMAGED                  | -         | stays   | 1:2       | -         | -      | -          | -           |
      | PERM_LOST                | -         | -       | stays     | -         | -      | -          | -           |
      | SUSPENDED, was FORMATTED | 3:0       | 3:1     | 3:2       | stays     | -      | 3:6        | -           |
      | SUSPENDED, was ACTIVE    | -         | 3:1     | 3:2       | stays     | 3:4    | 3:6        | -           |
      | ACTIVE                   | -         | 4:1     | 4:2       | 4:3       | stays  | 4:6        | -           |
      | TERMINATED               | -         | 6:1     | 6:2       | -         | -      | stays      | 6:7         |
      | UNFORMATTED              | -         | 7:1     | 7:2       | -         | -      | -          | stays       |

  Scenario: Every state, by operations
    Then operations move a token of "gp211-scp02" as this table says
      |                          | format    | enroll | PIN reset |
      | UNFORMATTED              | FORMATTED | ACTIVE | 27        |
      | FORMATTED                | FORMATTED | ACTIVE | 27        |
      | ACTIVE                   | FORMATTED | ACTIVE | ACTIVE    |
      | SUSPENDED, was FORMATTED | 26        | 26     | 27        |
      | SUSPENDED, was ACTIVE    | 26        | 26     | 27        |
      | DAMAGED                  | 26        | 26     | 27        |
      | PERM_LOST                | 26        | 32     | 27        |
      | TERMINATED               | 26        | 35     | 27        |

  Scenario: A brand new card
    Given a blank card of stock "gp211-scp02"
    When the operator types: tms token add TOKEN --user alice --reason "delivery 7"
    Then the command succeeds
    And the recorded token is UNFORMATTED
    When "alice" formats the card
    Then the operation succeeds
    And the recorded token is FORMATTED
    When "alice" enrolls the card
    Then the operation succeeds
    And the recorded token is ACTIVE

  Scenario: A card that was mislaid and found again
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN SUSPENDED --reason "not in the bag"
    Then the command succeeds
    And the record's reason is "onHold"
    And the "signing" certificate is on hold
    And the "encryption" certificate is on hold
    When the operator types: tms token set-state TOKEN FORMATTED --reason "found"
    Then the command ends with exit code 1
    When the operator types: tms token set-state TOKEN ACTIVE --reason "found"
    Then the command succeeds
    And the record's reason is ""
    And the "signing" certificate is valid
    And the "encryption" certificate is valid
    And the activity log of the token holds 2 successful "cert_revocation" entries
    And the activity log of the token holds 2 successful "cert_unrevocation" entries

  Scenario Outline: What a state means for the certificates
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN <state> --reason "it happened"
    Then the command succeeds
    And the record's reason is "<reason>"
    And the "signing" certificate is revoked for reason <signing>
    And the "encryption" certificate is <encryption>
    And the activity log of the token holds 1 successful "token_status_change" entry

    Examples:
      | state      | reason        | signing | encryption           |
      | DAMAGED    | destroyed     | 0       | valid                |
      | PERM_LOST  | keyCompromise | 1       | revoked for reason 1 |
      | TERMINATED | terminated    | 1       | revoked for reason 1 |

  Scenario: A suspended card that is lost for good
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN SUSPENDED --reason "not in the bag"
    And the operator types: tms token set-state TOKEN PERM_LOST --reason "nor at home"
    Then the command succeeds
    And the "signing" certificate is revoked for reason 1
    And the "encryption" certificate is revoked for reason 1

  Scenario: Settings of the token type decide what is revoked
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.recovery.terminated.revokeCert           | false |
      | op.enroll.userKey.keyGen.encryption.recovery.terminated.revokeCert.reason | 4     |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN TERMINATED --reason "left us"
    Then the command succeeds
    And the "signing" certificate is valid
    And the "encryption" certificate is revoked for reason 4

  Scenario: A card that is used again
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN TERMINATED --reason "left us"
    And the operator types: tms token set-state TOKEN UNFORMATTED --reason "for the next one"
    Then the command succeeds
    And the record names no user
    And the record names no type
    And the record names no applet
    And the record names no key information
    And the record names no policy of its own
    And the record's reason is ""
    When "bob" formats the card
    Then the operation succeeds
    When "bob" enrolls the card
    Then the operation succeeds
    And the record belongs to "bob"

  Scenario: What a card that is used again keeps, if the organisation wants it
    Given the configuration says
      | tokenservice.status.unformatted.clearUserID | false |
      | tokenservice.status.unformatted.clearType   | false |
      | tokenservice.status.unformatted.clearPolicy | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN TERMINATED --reason "left us"
    And the operator types: tms token set-state TOKEN UNFORMATTED --reason "comes back"
    Then the command succeeds
    And the record belongs to "alice"
    And the record names a type
    And the record names a policy of its own
    And the record names no key information

  Scenario: Moves that an organisation took away
    Given the configuration says
      | tokendb.allowedTransitions        | 0:2,4:2,3:2 |
      | tps.operations.allowedTransitions | 0:4,7:0     |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation succeeds
    When "alice" formats the card
    Then the operation fails with code 26
    When the operator types: tms token set-state TOKEN DAMAGED --reason "cracked"
    Then the command ends with exit code 1
    And the command says "FORMATTED to DAMAGED (0:1)"
    When the operator types: tms token set-state TOKEN PERM_LOST --reason "gone"
    Then the command succeeds

  Scenario Outline: Moves that nobody can add stop the start
    Given the configuration says
      | <key> | <list> |
    Then the system does not start, and says "<error>"

    Examples:
      | key                               | list           | error                                                                |
      | tokendb.allowedTransitions        | 0:1,0:7        | FORMATTED to UNFORMATTED (0:7) is not among the permitted ones       |
      | tokendb.allowedTransitions        | 2:0            | tokendb.allowedTransitions                                           |
      | tokendb.allowedTransitions        | FORMATTED:LOST | not of the form CODE:CODE                                            |
      | tps.operations.allowedTransitions | 0:0,7:4        | UNFORMATTED to ACTIVE (7:4) is not among the permitted ones, 0:0,0:4 |
      | tps.operations.allowedTransitions | 6:0            | tps.operations.allowedTransitions                                    |

  Scenario: States under the names and numbers that older systems and scripts have
    Given a token that is recorded as FORMATTED
    When the operator types: tms token set-state TOKEN temp_lost --reason "an old script"
    Then the command succeeds
    And the recorded token is SUSPENDED
    When the operator types: tms token list --state 3 --limit 1000
    Then the command shows lines with
      | TOKEN | SUSPENDED |
    When the operator types: tms token set-state TOKEN UNINITIALIZED --reason "an old script"
    Then the recorded token is FORMATTED

  Scenario: Who may do what
    Given "anna" administers as administrator
    And "alan" administers as agent
    And "otto" administers as operator
    And "eve" administers as nobody
    And a token that is recorded as FORMATTED
    When "otto" types: tms token show TOKEN
    Then the command succeeds
    When "otto" types: tms token set-state TOKEN DAMAGED --reason "cracked"
    Then the command ends with exit code 6
    And the command says "otto may not do this: it is for agent"
    When "anna" types: tms token set-state TOKEN DAMAGED --reason "cracked"
    Then the command ends with exit code 6
    When "alan" types: tms token set-state TOKEN DAMAGED --reason "cracked"
    Then the command succeeds
    When "alan" types: tms token delete TOKEN --reason "cracked"
    Then the command ends with exit code 6
    When "eve" types: tms token list
    Then the command ends with exit code 6
    When "anna" types: tms token delete TOKEN --reason "cracked"
    Then the command succeeds
    When "otto" types: tms token show TOKEN
    Then the command ends with exit code 5

  Scenario: Clients of Dogtag find their way
    Given "alan" administers as agent
    And a token that is recorded as FORMATTED
    When "alan" sends GET "/tps/rest/account/login"
    Then the answer is 200 and holds
      | id      | alan       |
      | roles.0 | TPS Agents |
    When "alan" sends POST "/tps/rest/tokens/TOKEN?status=DAMAGED"
    Then the answer is 200 and holds
      | TokenID      | TOKEN              |
      | Status.name  | DAMAGED            |
      | Status.label | Physically damaged |
    When "alan" sends GET "/tps/v2/tokens?tokenID=TOKEN"
    Then the answer is 200 and holds
      | total                 | 1       |
      | entries.0.id          | TOKEN   |
      | entries.0.Status.name | DAMAGED |
    When "alan" sends POST "/tps/rest/tokens/TOKEN?status=ACTIVE"
    Then the answer is 400 and holds
      | ClassName | com.netscape.certsrv.base.BadRequestException |
      | Code      | 400                                           |
    When "alan" sends PATCH "/tps/rest/tokens/TOKEN" with
      """
      {"TokenID": "TOKEN", "UserID": "bob", "Policy": "RE_ENROLL=YES;RENEW=YES"}
      """
    Then the answer is 200 and holds
      | UserID | bob                     |
      | Policy | RE_ENROLL=YES;RENEW=YES |
    When "alan" sends GET "/tps/rest/activities?filter=TOKEN&size=1"
    Then the answer is 200 and holds
      | total               | 2            |
      | entries.0.Operation | token_modify |
      | entries.0.Result    | success      |
    When "nobody" sends GET "/tps/rest/tokens"
    Then the answer is 0
