@alone
Feature: Enrolling a token again
  A person whose token is in use comes back with it: for new keys, since the policy of the token allows no
  renewal, or because an agent wants the card to be made anew. What the card held is worth nothing from
  then on, and that is known to everybody; whoever is not the token's owner gets nothing.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A token of every stock gets other keys, and the former ones are given up
    Given an ACTIVE token of stock "<stock>" that belongs to "alice"
    When "alice" enrolls the card with the PIN "97531"
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token holds certificates for "signing, encryption"
    And the keys are others than before
    And all that the token held before is revoked with reason 4
    And the key of every "encryption" certificate is archived for "alice"
    And the archive holds 2 keys made for the card
    And the card accepts the PIN "97531"
    And the card refuses the PIN "135790"
    And the activity log of the token holds 2 successful "enrollment" entries
    And no intent is left open for the token

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

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

  Scenario: A token whose policy wants it formatted first loses its applet on the way
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "FORCE_FORMAT=YES"
    When "alice" enrolls the card
    Then the operation succeeds
    And "PROGRESS_APPLET_BLOCK" was among the tasks shown
    And the token holds certificates for "signing, encryption"
    And the keys are others than before
    And all that the token held before is revoked with reason 4
    And the activity log of the token holds 2 successful "format" entries

  Scenario: A key that may not be overwritten stays
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.overwrite | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" enrolls the card
    Then the operation fails with code 7
    And the token is ACTIVE and belongs to "alice"
    And all that the token held before is still valid
    And the token holds certificates for "signing, encryption"

  Scenario: Enrolling again without the certificate authority does not end with keys that are worth nothing
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority is out of reach
    When "alice" enrolls the card
    Then the operation fails with code 10
    When the certificate authority answers again
    And the token management system looks for what it left undone
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And all that the token held at first is revoked
    And no intent is left open for the token

  Scenario Outline: A card pulled while it is enrolled again
    Given an ACTIVE token of stock "sce7-scp03" that belongs to "alice"
    When "alice" enrolls the card and pulls it after <n> commands
    Then the operation fails
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And all that the token held at first is revoked
    And the key of every "encryption" certificate is archived for "alice"
    And no intent is left open for the token

    Examples:
      | n  |
      | 10 |
      | 16 |
      | 22 |
      | 28 |

  Scenario: A terminated token that was released for reuse becomes another person's
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When an agent reports the token as TERMINATED
    Then all that the token held before is revoked with reason 1
    When an agent reports the token as UNFORMATTED
    And "bob" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "bob"
    And the token holds certificates for "signing, encryption"
    And the certificates name "bob@example.org"
