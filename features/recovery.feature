@alone
Feature: A new token for one that is out of use
  A person whose token is damaged, stolen or mislaid comes to the desk with another card. What they get
  depends on what happened: the key that others have encrypted for comes back from the archive, unless it
  may be in the wrong hands; whose token may be found again gets a temporary one.

  Background:
    Given a token management system with the usual users

  Scenario Outline: The encryption key comes back on a card of every stock
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token holds certificates for "signing, encryption"
    And the "signing" certificate is another than that of the second card
    And the "signing" certificate of the second card is revoked
    And the "encryption" certificate is that of the second card
    And the activity log of the token holds 1 successful "recovery" entry
    And no intent is left open for the token

    Examples:
      | stock        |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: A stolen token's keys do not come back
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as PERM_LOST
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the "signing" certificate of the second card is revoked
    And the "encryption" certificate of the second card is revoked
    And the "encryption" certificate is another than that of the second card

  Scenario: A temporary token for one that may be found
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as SUSPENDED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token's type is "userKeyTemporary"
    And the token holds certificates for "auth, signing, encryption"
    And the "encryption" certificate is that of the second card
    And the "signing" certificate of the second card is on hold
    And the card's name is "alice (Temporary)"
    And the activity log of the token holds 1 successful "cert_unrevocation" entry

  Scenario: The former key beside a new one
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.recovery.destroyed.scheme | GenerateNewKeyAndRecoverLast |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption, encryption"

  Scenario: Another person does not get it
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    When "bob" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is another than that of the second card
    And the activity log of the token holds 1 successful "enrollment" entry

  Scenario: A terminated token brings nothing back
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as TERMINATED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is another than that of the second card

  Scenario: A token that is found again is as good as before
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as SUSPENDED
    When an agent reports the token as ACTIVE
    Then the token is ACTIVE and belongs to "alice"
    And the token holds certificates for "signing, encryption"
    And all that the token held before is still valid

  Scenario: A loss that the certificate authority hears of later
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority is out of reach
    When an agent cannot report the token as PERM_LOST
    Then the token is ACTIVE and belongs to "alice"
    And all that the token held before is still valid
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then the token's state is still PERM_LOST
    And all that the token held before is revoked with reason 1
