@alone
Feature: Archiving keys
  What others have encrypted for a person must not be lost with a card. Keys for encryption are made by the
  key recovery authority, which has archived them before it hands them out; keys for signing never are. A key
  comes back to its owner's cards and nobody else's, unless several recovery agents want it together, and all
  of that is on record.

  Background:
    Given a token management system with the usual users

  Scenario Outline: The encryption key of a token of every stock is archived, the signing key is not
    Given a blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the key of every "encryption" certificate is archived for "alice"
    And the key of the "signing" certificate is archived nowhere
    And the archive holds 1 key made for the card
    And the audit trail of the archive holds 1 done "key_archived" entry about the card
    And the audit trail of the archive is unbroken

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: A key that the token type does not want archived is handed out and forgotten
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.serverKeygen.archive | false |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the key of the "encryption" certificate is archived nowhere
    And the archive holds 0 keys made for the card
    And the audit trail of the archive holds 1 done "key_generated" entry about the card

  Scenario: A certificate that never came to be leaves its key in the archive, and nobody can use it
    Given a FORMATTED token of stock "gp211-scp02"
    And the certificate authority is out of reach
    When "alice" enrolls the card as token type "userKey"
    Then the operation fails with code 10
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then no certificate of the token is valid
    When "alice" enrolls the card
    Then the operation succeeds
    And the key of every "encryption" certificate is archived for "alice"
    And no intent is left open for the token

  Scenario: Without the archive nothing is certified, and nothing on the card is given up
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the key recovery authority is out of reach
    When "alice" enrolls the card
    Then the operation fails with code 7
    When the key recovery authority answers again
    And the token management system looks for what it left undone
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the key of every "encryption" certificate is archived for "alice"
    And all that the token held at first is revoked
    And no intent is left open for the token

  Scenario: A falsified record brings nobody another person's key
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And the token's record is falsified to belong to "bob"
    And a second blank card of stock "gp211-scp02"
    When "bob" enrolls the card
    Then the operation fails with code 37
    And no certificate of the token is valid
    And the "encryption" certificate of the second card is valid
    And the audit trail of the archive is unbroken

  Scenario: Two agents together get the key of somebody who has left
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When agent "ann" asks for the key of the "encryption" certificate
    Then agent "ann" cannot have the key
    When agent "ann" approves
    Then agent "ann" cannot have the key
    When agent "ben" approves
    Then agent "ben" cannot have the key
    And agent "ann" gets a key that opens with openssl what was sealed for the certificate
    And agent "ann" cannot have the key
    And the audit trail of the archive holds 1 done "request_made" entry about the card
    And the audit trail of the archive holds 2 done "request_approved" entries about the card
    And the audit trail of the archive holds 1 done "key_exported" entry about the card
    And the audit trail of the archive is unbroken

  Scenario: One agent's no is enough
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When agent "ann" asks for the key of the "encryption" certificate
    And agent "ann" approves
    And agent "cho" rejects
    Then agent "ann" cannot have the key

  Scenario: Whoever is no agent cannot even ask
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When agent "mallory" asks for the key of the "encryption" certificate
    Then agent "mallory" cannot ask
