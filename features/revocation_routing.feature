@alone
Feature: A certificate is revoked by the certificate authority that issued it
  Normally only the CA which issued a certificate can revoke it. Revocation requests for tokens are routed
  to it, also when it has retired and all other requests, such as enrollment, go to a new, active CA. A CA
  that can't be reached keeps nobody from saying what happened to a token: the token stays as it was, what
  is to be done is recorded, and done as soon as the CA answers.

  Background:
    Given a token management system with the certificate authorities ca0, ca1 and ca2

  Scenario: Each certificate of a token is revoked by its own CA
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When an agent reports the token as PERM_LOST
    Then the token's state is still PERM_LOST
    And the "signing" certificate is revoked at "ca1" for reason 1
    And the "encryption" certificate is revoked at "ca2" for reason 1
    And the activity log of the token holds 2 successful "cert_revocation" entries
    And the activity log of the token holds 1 successful "token_status_change" entry
    And no intent is left open for the token

  Scenario: A certificate of a CA that has retired
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.ca.conn | ca0 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority "ca0" is retired
    And the certificate authority "ca0" issues nothing any more
    When an agent reports the token as TERMINATED
    Then the "signing" certificate is revoked at "ca0" for reason 1
    And the "encryption" certificate is revoked at "ca1" for reason 1

  Scenario: A new CA in the place of the one that issued, which stays reachable as another
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the operator puts "ca2" in the place of "ca1", which stays reachable as "ca0"
    When an agent reports the token as PERM_LOST
    Then the "signing" certificate is revoked at "ca1" for reason 1
    And the "encryption" certificate is revoked at "ca1" for reason 1

  Scenario: Hold and release go to the same CA
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When an agent reports the token as SUSPENDED
    Then the "signing" certificate is on hold at "ca1" for reason 6
    And the "encryption" certificate is on hold at "ca2" for reason 6
    When an agent reports the token as ACTIVE
    Then the "signing" certificate is valid at "ca1"
    And the "encryption" certificate is valid at "ca2"
    And the activity log of the token holds 2 successful "cert_unrevocation" entries

  Scenario: What is on hold is revoked for good when the token is lost for good
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When an agent reports the token as SUSPENDED
    And an agent reports the token as PERM_LOST
    Then the "signing" certificate is revoked at "ca1" for reason 1
    And the "encryption" certificate is revoked at "ca1" for reason 1

  Scenario Outline: A CA that can't be reached leaves the token as it was until it can
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority "ca2" is out of reach
    When an agent cannot report the token as <state>
    Then the token is ACTIVE and belongs to "alice"
    And an intent "revoke_cert" is left open for the token
    And the activity log of the token holds 1 failed "token_status_change" entry
    When the certificate authority "ca2" answers again
    Then the "encryption" certificate is valid at "ca2"
    When the token management system looks for what it left undone
    Then the token's state is still <state>
    And the "signing" certificate is <word> at "ca1" for reason <reason>
    And the "encryption" certificate is <word> at "ca2" for reason <reason>
    And the activity log of the token holds 1 successful "token_status_change" entry
    And no intent is left open for the token

    Examples:
      | state      | word    | reason |
      | PERM_LOST  | revoked | 1      |
      | SUSPENDED  | on hold | 6      |
      | TERMINATED | revoked | 1      |

  Scenario: A release that the CA hears of later
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as SUSPENDED
    And the certificate authority "ca1" is out of reach
    When an agent cannot report the token as ACTIVE
    Then the token's state is still SUSPENDED
    When the certificate authority "ca1" answers again
    And the token management system looks for what it left undone
    Then the token is ACTIVE and belongs to "alice"
    And the "signing" certificate is valid at "ca1"
    And the "encryption" certificate is valid at "ca1"

  Scenario: The token is found before the CA heard that it was lost
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority "ca1" is out of reach
    When an agent cannot report the token as PERM_LOST
    And an agent reports the token as ACTIVE
    Then no intent is left open for the token
    When the certificate authority "ca1" answers again
    And the token management system looks for what it left undone
    Then the token is ACTIVE and belongs to "alice"
    And the "signing" certificate is valid at "ca1"

  Scenario: A CA that nobody is connected to refuses the change, and nothing is done
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the operator takes the connection to "ca2" away
    When an agent cannot report the token as PERM_LOST
    Then the token is ACTIVE and belongs to "alice"
    And the "signing" certificate is valid at "ca1"
    And the "encryption" certificate is valid at "ca2"
    And the activity log of the token holds 1 failed "token_status_change" entry
    And no intent is left open for the token

  Scenario Outline: A certificate that another active token still uses
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn                                             | ca2    |
      | op.enroll.userKey.keyGen.encryption.recovery.terminated.holdRevocationUntilLastCredential | <hold> |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    And the second card's token is ACTIVE again
    When an agent reports the token as TERMINATED
    Then the "signing" certificate is revoked at "ca1" for reason 1
    And the "encryption" certificate is <word> at "ca2"
    And the "encryption" certificate of the second card is <word> at "ca2"

    Examples:
      | hold  | word    |
      | true  | valid   |
      | false | revoked |

  Scenario: Formatting a token has every CA revoke what is its own
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.ca.conn | ca2  |
      | op.format.userKey.revokeCert                | true |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority "ca2" is out of reach
    When "alice" formats the card
    Then the operation fails with code 42
    And the token is ACTIVE and belongs to "alice"
    And an intent "revoke_cert" is left open for the token
    When the certificate authority "ca2" answers again
    And "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And the token has no certificate records
