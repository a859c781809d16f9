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
