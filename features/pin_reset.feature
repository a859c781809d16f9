@alone
Feature: Setting the PIN of a token anew
  A person who has forgotten the PIN sets another one at the desk, after logging in with the password of the
  directory. An agent allows it for a token, once or until further notice.

  Background:
    Given a token management system with the usual users

  Scenario Outline: The PIN is set on a token of every stock
    Given an ACTIVE token of stock "<stock>" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When "alice" sets the PIN to "p+n %&="
    Then the operation succeeds
    And the card accepts the PIN "p+n %&="
    And the token is ACTIVE and belongs to "alice"
    And the token holds certificates for "signing, encryption"
    And the activity log of the token holds 1 successful "pin_reset" entry
    And no intent is left open for the token

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: A right that is good for one time
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES;RESET_PIN_RESET_TO_NO=YES"
    When "alice" sets the PIN to "11223344"
    Then the operation succeeds
    And the policy of the token now says "PIN_RESET=NO"
    When "alice" sets the PIN to "55667788"
    Then the operation fails with code 27
    And the card accepts the PIN "11223344"

  Scenario: A right that nobody has given
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" sets the PIN to "11223344"
    Then the operation fails with code 27
    And the card refuses the PIN "11223344"

  Scenario: Another person's token
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When "bob" sets the PIN to "11223344"
    Then the operation fails with code 43
    And the card refuses the PIN "11223344"

  Scenario: A card that nobody knows
    Given a blank card of stock "gp211-scp02"
    When "alice" sets the PIN to "11223344"
    Then the operation fails with code 16
    And the token is not in the token database

  Scenario: A PIN that was guessed wrong too often is set anew
    Given the configuration says
      | op.enroll.userKey.pinReset.pin.maxRetries   | 3 |
      | op.pinReset.userKey.pinReset.pin.maxRetries | 3 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When somebody tries 3 wrong PINs on the card
    Then the card refuses the PIN "135790"
    And the card has 0 of 3 tries left
    When "alice" sets the PIN to "11223344"
    Then the operation succeeds
    And the card has 3 of 3 tries left
    And the card accepts the PIN "11223344"

  Scenario: Setting the PIN brings the card's own keys up to date
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When the operator sets
      | op.pinReset.userKey.update.symmetricKeys.requiredVersion | 1 |
    And "alice" sets the PIN to "11223344"
    Then the operation succeeds
    And the card answers with key version "01"
    And the token's record holds the key version that the card answers with
    And the card accepts the PIN "11223344"
    And the token holds certificates for "signing, encryption"
    And the activity log of the token holds 2 successful "key_changeover" entries

  Scenario Outline: A token that is not in use
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    And an agent reports the token as <state>
    When "alice" sets the PIN to "11223344"
    Then the operation fails with code 27
    And the card refuses the PIN "11223344"

    Examples:
      | state      |
      | SUSPENDED  |
      | DAMAGED    |
      | PERM_LOST  |
      | TERMINATED |

  Scenario: A wrong password sets no PIN
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When "mallory" tries to set the PIN to "11223344"
    Then the operation fails with code 14
    And the card refuses the PIN "11223344"

  Scenario Outline: A card pulled while its PIN is set
    Given an ACTIVE token of stock "sce7-scp03" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES;RESET_PIN_RESET_TO_NO=YES"
    When "alice" sets the PIN to "11223344" and pulls the card after <n> commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "pin_reset" entry
    When the card is put back
    And "alice" sets the PIN to "55667788"
    Then the operation succeeds
    And the card accepts the PIN "55667788"
    And the policy of the token now says "PIN_RESET=NO"
    And the token holds certificates for "signing, encryption"
    And no intent is left open for the token

    Examples:
      | n  |
      | 9  |
      | 11 |
      | 12 |

  Scenario: A token that is nobody's
    Given a FORMATTED token of stock "gp211-scp02"
    And the policy of the token says "PIN_RESET=YES"
    When "alice" sets the PIN to "11223344"
    Then the operation fails with code 27

  Scenario Outline: A PIN of a length that is not allowed
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When "alice" sets the PIN to "<pin>"
    Then the operation fails
    And the card accepts the PIN "135790"

    Examples:
      | pin         |
      | 123         |
      | 12345678901 |
