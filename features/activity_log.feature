@alone
Feature: The activity log
  Whatever happens to a token is on record: what it was, when, who did it and for whom, and how it ended. Nothing
  of it is lost, and nothing can be done without it.

  Background:
    Given a token management system with the usual users

  Scenario: Every event of a token's life
    Given the configuration says
      | tokendb.defaultPolicy | RE_ENROLL=YES;RENEW=YES;PIN_RESET=YES |
    And a blank card of stock "gp211-scp02"
    When the operator types: tms token add TOKEN --reason "delivery 7"
    And "alice" formats the card
    And "alice" enrolls the card
    And "alice" sets the PIN to "11223344"
    And "alice" enrolls the card
    And the operator types: tms token set-state TOKEN SUSPENDED --reason "not in the bag"
    And the operator types: tms token set-state TOKEN ACTIVE --reason "in the other bag"
    And the operator types: tms token set-policy TOKEN PIN_RESET=NO --reason "enough of it"
    And the operator types: tms token set-state TOKEN TERMINATED --reason "left us"
    And the operator types: tms token delete TOKEN --reason "shredded"
    Then the command succeeds
    When the operator types: tms activity --token TOKEN
    Then the command shows lines with
      | TOKEN | delete              | success | alice       | local:     | token deleted, TERMINATED: shredded         |
      | TOKEN | token_status_change | success | alice       | local:     | ACTIVE to TERMINATED (4:6): left us         |
      | TOKEN | cert_revocation     | success | certificate |            |                                             |
      | TOKEN | token_modify        | success | alice       | local:     | enough of it                                |
      | TOKEN | token_status_change | success | alice       | local:     | SUSPENDED to ACTIVE (3:4): in the other bag |
      | TOKEN | cert_unrevocation   | success | certificate |            |                                             |
      | TOKEN | token_status_change | success | alice       | local:     | ACTIVE to SUSPENDED (4:3): not in the bag   |
      | TOKEN | cert_revocation     | success | certificate |            |                                             |
      | TOKEN | renewal             | success | alice       | alice      | certificates renewed                        |
      | TOKEN | pin_reset           | success | alice       | alice      | PIN set                                     |
      | TOKEN | enrollment          | success | alice       | alice      | token enrolled                              |
      | TOKEN | format              | success | alice       | alice      | token formatted                             |
      | TOKEN | key_changeover      | success | alice       | alice      | put_key from FF01 to 0201: done             |
      | TOKEN | add                 | success | local:      | delivery 7 |                                             |

  Scenario: A token that replaces a lost one
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN PERM_LOST --reason "in a train"
    And a second blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    Then the operation succeeds
    When the operator types: tms activity --token TOKEN
    Then the command shows lines with
      | TOKEN | recovery | success | alice | SECOND |
      | TOKEN | add      | success |       |        |
    When the operator types: tms activity --token SECOND --operation token_status_change
    Then the command shows lines with
      | SECOND | ACTIVE to PERM_LOST (4:2): in a train |

  Scenario: What failed, and why
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" formats the card with the password "not hers"
    Then the operation fails with code 14
    When the operator types: tms activity list --token TOKEN --result failure
    Then the command shows lines with
      | TOKEN | format | failure | logging in |
    And the command does not say "not hers"

  Scenario: A change that waits for its certificate authority says so
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority is out of reach
    When the operator types: tms token set-state TOKEN PERM_LOST --reason "in a train"
    Then the command ends with exit code 1
    And the command says "the token stays as it is for now"
    And the recorded token is ACTIVE
    When the operator types: tms activity --token TOKEN --operation token_status_change
    Then the command shows lines with
      | token_status_change | failure |
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then the recorded token is PERM_LOST
    When the operator types: tms activity --token TOKEN
    Then the command shows lines with
      | token_status_change | success | local: | ACTIVE to PERM_LOST (4:2): in a train |
      | cert_revocation     | success |        |                                       |
      | token_status_change | failure |        |                                       |

  Scenario: A card that is pulled out leaves a failed entry, and the next operation another
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" formats the card and pulls it after 30 commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "format" entry
    When the card is put back
    And "alice" formats the card
    Then the operation succeeds
    And the activity log of the token holds 2 successful "format" entries

  Scenario: Looking for something in it
    Given "otto" administers as operator
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "otto" types: tms activity --user alice --operation enrollment
    Then the command shows lines with
      | TOKEN | enrollment | success | alice |
    When "otto" types: tms activity --user bob
    Then the command does not say "TOKEN"
    When "otto" types: tms activity --until 2020-01-01
    Then the command does not say "TOKEN"
    When "otto" types: tms activity --from 2020-01-01 --limit 1
    Then the command says "There are more: --after "
    When "otto" types: tms activity --operation dance
    Then the command ends with exit code 2
    When "otto" sends GET "/tps/rest/activities?tokenID=TOKEN&operation=enrollment"
    Then the answer is 200 and holds
      | entries.0.TokenID   | TOKEN      |
      | entries.0.UserID    | alice      |
      | entries.0.IP        | 127.0.0.1  |
      | entries.0.Operation | enrollment |
      | entries.0.Result    | success    |

  Scenario: An older system's name for the release of a certificate
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator types: tms token set-state TOKEN SUSPENDED --reason "not in the bag"
    And the operator types: tms token set-state TOKEN ACTIVE --reason "found"
    And the operator types: tms activity --token TOKEN --operation cert_restoration
    Then the command shows lines with
      | TOKEN | cert_unrevocation | success |
      | TOKEN | cert_unrevocation | success |

  Scenario: Nothing by hand without a reason
    Given a token that is recorded as FORMATTED
    When the operator types: tms token set-state TOKEN DAMAGED
    Then the command ends with exit code 2
    And the command says "--reason"
    And the recorded token is FORMATTED

  Scenario Outline: It is the same wherever it is kept
    Given the token database is kept in <home>
    And "alan" administers as agent, administrator
    And a blank card of stock "gp211-scp02"
    When "alan" types: tms token add TOKEN --user alice --reason "delivery 7"
    And "alice" enrolls the card
    And "alan" types: tms token set-policy TOKEN PIN_RESET=YES --reason "as agreed"
    And "alan" types: tms token set-state TOKEN SUSPENDED --reason "not in the bag"
    And "alan" types: tms token list --user alice --state SUSPENDED --type userKey --from 2020-01-01 --limit 1
    Then the command shows lines with
      | TOKEN | SUSPENDED | alice | userKey | alan |
    When "alan" types: tms token list --user alice --state ACTIVE
    Then the command does not say "TOKEN"
    When "alan" types: tms token set-state TOKEN TERMINATED --reason "left us"
    And "alan" types: tms activity --token TOKEN
    Then the command shows lines with
      | TOKEN | token_status_change | success | alice | alan  | SUSPENDED to TERMINATED (3:6): left us    |
      | TOKEN | cert_revocation     | success |       | alan  |                                           |
      | TOKEN | token_status_change | success | alice | alan  | ACTIVE to SUSPENDED (4:3): not in the bag |
      | TOKEN | token_modify        | success | alice | alan  | as agreed                                 |
      | TOKEN | enrollment          | success | alice | alice | token enrolled                            |
      | TOKEN | add                 | success | alice | alan  | delivery 7                                |
    When "alan" types: tms activity --user alice --operation enrollment --result success --limit 1
    Then the command shows lines with
      | TOKEN | enrollment | success | alice |
    When "alan" types: tms token show TOKEN
    Then the command shows lines with
      | certificate | signing    | revoked |
      | certificate | encryption | revoked |
    When "alan" sends GET "/tps/rest/activities?tokenID=TOKEN&operation=add"
    Then the answer is 200 and holds
      | entries.0.UserID | alice |
    When "alan" asks for that activity alone
    Then the answer is 200 and holds
      | Operation | add   |
      | TokenID   | TOKEN |
    When "alan" types: tms token delete TOKEN --reason "shredded"
    Then the command succeeds
    And the token is not in the token database
    When "alan" types: tms activity --token TOKEN --operation delete
    Then the command shows lines with
      | TOKEN | delete | success | alice | alan | token deleted, TERMINATED: shredded |

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
