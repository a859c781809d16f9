@alone
Feature: Enrolling a token
  A person puts a card into the reader of their desk, logs in, chooses a PIN, and gets a card that signs
  and decrypts for them: keys are made on the card, or by the key recovery authority where they have to be
  archived, a certificate authority certifies them, and the card tells programs about both. The system
  remembers whose card it is and what it holds. Whatever goes wrong on the way, nothing is left behind
  that nobody knows of, and enrolling the card again puts it right.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A blank card of every stock becomes a person's ACTIVE token
    Given a blank card of stock "<stock>"
    When "alice" enrolls the card with the PIN "2468"
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token's record names token type "userKey" and the applet on the card
    And the token holds certificates for "signing, encryption"
    And the key of every "encryption" certificate is archived for "alice"
    And the certificates name "alice@example.org"
    And the card's name is "alice"
    And the card accepts the PIN "2468"
    And the applet on the card is personalized
    And the card's issuer information is the address of the phone home page
    And no intent is left open for the token
    And the activity log of the token reads
      | operation      | result  |
      | add            | success |
      | key_changeover | success |
      | format         | success |
      | enrollment     | success |

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: A formatted token is enrolled without losing its applet
    Given a FORMATTED token of stock "gp211-scp02"
    When "bob" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "bob"
    And the token holds certificates for "signing, encryption"
    And the activity log of the token holds 1 successful "format" entry
    And "PROGRESS_WRITE_OBJECTS" was among the tasks shown

  Scenario: Keys on a curve
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.alg                     | 5     |
      | op.enroll.userKey.keyGen.signing.keySize                 | 256   |
      | op.enroll.userKey.keyGen.encryption.alg                  | 5     |
      | op.enroll.userKey.keyGen.encryption.keySize              | 384   |
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable  | false |
    And a blank card of stock "sce7-scp03"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the keys on the card are of type "EC"

  Scenario: A device is enrolled for itself
    Given a blank card of stock "gp211-scp02"
    When nobody logs in and the card is enrolled as token type "tokenKey"
    Then the operation succeeds
    And the token is ACTIVE and belongs to nobody
    And the token holds certificates for "signing"

  Scenario: Enrolling a token again replaces what it holds
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And all that the token held before is revoked with reason 4
    And no intent is left open for the token

  Scenario: A token that may not be enrolled again
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RE_ENROLL=NO"
    When "alice" enrolls the card
    Then the operation fails with code 26
    And nothing on the card has changed
    And all that the token held before is still valid

  Scenario: Another person's token
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "bob" enrolls the card
    Then the operation fails with code 43
    And nothing on the card has changed
    And the token is ACTIVE and belongs to "alice"

  Scenario: A person has one active token
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails with code 34
    And nothing on the card has changed

  Scenario: A person may have several where the configuration says so
    Given the configuration says
      | tokendb.nonExternalReg.allowMultiActiveTokensUser | true |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"

  Scenario: An unknown card is refused where the configuration says so
    Given the configuration says
      | op.enroll.allowUnknownToken | false |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails with code 16
    And nothing on the card has changed
    And the token is not in the token database

  Scenario Outline: A token whose state does not allow it
    Given a FORMATTED token of stock "gp211-scp02"
    And the token's state is <state>
    When "alice" enrolls the card
    Then the operation fails with code <code>
    And nothing on the card has changed

    Examples:
      | state      | code |
      | DAMAGED    | 26   |
      | PERM_LOST  | 32   |
      | TERMINATED | 35   |

  Scenario: A PIN that is too short stops the enrollment before it begins
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card with the PIN "123"
    Then the operation fails
    And nothing on the card has changed

  Scenario: An enrollment without the certificate authority leaves nothing behind
    Given a FORMATTED token of stock "gp211-scp02"
    And the certificate authority is out of reach
    When "alice" enrolls the card
    Then the operation fails with code 10
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then no certificate of the token is valid
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And no intent is left open for the token

  Scenario Outline: A card pulled in the middle is put right by enrolling it again
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card and pulls it after <n> commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "enrollment" entry
    And no certificate of the token is valid
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the key of every "encryption" certificate is archived for "alice"
    And no intent is left open for the token

    Examples:
      | n  |
      | 12 |
      | 18 |
      | 24 |
      | 30 |

  Scenario: Formatting a token revokes what it holds
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And the token has no certificate records
    And no certificate of the token is valid
