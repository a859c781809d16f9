Feature: Key changeover
  A card leaves the factory with keys that every card of its box shares. Formatting replaces
  them by keys of the organisation's master key, different on every card. The organisation can
  raise the version later, and it can give the card its factory keys back.

  Background:
    Given a token management system with the usual users

  @alone
  Scenario Outline: Keys change to version 2, stay there, and go back to the factory's
    Given a blank card of stock "<stock>"
    When "alice" formats the card
    Then the operation succeeds
    And the card answers with key version "02"
    And the card no longer knows the factory keys
    When "alice" formats the card
    Then the operation succeeds
    And the card answers with key version "02"
    And the activity log of the token holds 1 successful "key_changeover" entry
    When the operator sets the required key version to 1
    And "alice" formats the card
    Then the operation succeeds
    And the card answers with key version "01"
    And the card opens with the factory keys
    And the activity log of the token holds 2 successful "key_changeover" entries

    Examples:
      | stock        |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: Two cards of one box end up with different keys
    Given a FORMATTED token of stock "gp211-scp02"
    And a second FORMATTED token of stock "gp211-scp02"
    Then the keys of the first card do not open the second

  Scenario: Nothing changes where changeover is switched off
    Given the configuration says
      | op.format.userKey.update.symmetricKeys.enable | false |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card as token type "userKey"
    Then the operation succeeds
    And the card answers with key version "FF"
    And the card opens with the factory keys

  Scenario: The record follows the card
    Given a FORMATTED token of stock "gp211-scp02"
    Then the token's record holds the key version that the card answers with
    And no intent is left open for the token

  Scenario: A card whose keys are not the recorded ones is refused
    Given a FORMATTED token of stock "gp211-scp02"
    And the token's record names key version "07"
    When "alice" formats the card
    Then the operation fails with code 17
    And nothing on the card has changed

  Scenario: The answer to PUT KEY is lost and the next format finds out what happened
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card and the answer to "PUT KEY" is lost
    Then the operation fails
    And an intent "put_key" is left open for the token
    When the card is put back
    And "alice" formats the card
    Then the operation succeeds
    And the card answers with key version "02"
    And no intent is left open for the token

  Scenario: PUT KEY never reaches the card and the next format finds out
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card and pulls it before "PUT KEY"
    Then the operation fails
    And an intent "put_key" is left open for the token
    When the card is put back
    And "alice" formats the card
    Then the operation succeeds
    And the card answers with key version "02"
    And no intent is left open for the token

  Scenario: A version that the token key service has no master key for
    Given the configuration says
      | op.format.userKey.update.symmetricKeys.requiredVersion | 9 |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card as token type "userKey"
    Then the operation fails with code 20
    And the card opens with the factory keys
