@alone
Feature: Certificates that a group shares
  All users of a group can have a special record configured in their LDAP profiles for downloading a shared
  certificate and keys. Each has them on a token of their own. The certificate is revoked when the last
  token that uses it is out of use, and not before.

  Background:
    Given a token management system with the usual users
    And tokens are registered in the embedded directory
    And the directory says of "carol"
      | tokenType | externalRegISEtoken |
    And a blank card of stock "gp211-scp02"
    And "carol" enrolls the card
    And the "encryption" certificate is known as "the group's"
    And the recovery agents let "alice" have the key of "the group's"
    And the directory says of "alice"
      | certsToAdd | {the group's},ca1,0,kra1 |
    And the directory says of "bob"
      | certsToAdd | {the group's},ca1,0,kra1 |

  Scenario: Every member gets it, and what was sealed for the group opens with each card
    Given the recovery agents let "bob" have the key of "the group's"
    And another blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token holds "the group's"
    Given another blank card of stock "sce7-scp03"
    When "bob" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "bob"
    And the token holds "the group's"
    And "the group's" is valid

  Scenario: Whom the recovery agents did not let have the key does not get it
    Given another FORMATTED token of stock "gp211-scp02" made by "bob"
    When "bob" enrolls the card
    Then the operation fails with code 37
    And nothing on the card has changed

  Scenario: Who leaves the group loses it, and the others keep it
    Given another blank card of stock "gp211-scp02"
    And the directory says of "alice"
      | tokenType  | externalRegISEtoken      |
      | certsToAdd | {the group's},ca1,0,kra1 |
    And "alice" enrolls the card
    And the "signing" certificate is known as "alice's"
    When the directory says of "alice"
      | certsToAdd | {alice's},ca1 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds "alice's"
    And the record of "the group's" on the token says gone
    And "the group's" is valid
    And "alice's" is valid
    And no intent is left open for the token

  Scenario: The last token that uses it has it revoked
    Given another blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    When an agent reports the token of the second card as TERMINATED
    Then "the group's" is valid
    When an agent reports the token as TERMINATED
    Then "the group's" is revoked
    And the record of "the group's" on the token says revoked

  Scenario: A member's token that is mislaid and found again
    Given another blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    When an agent reports the token as SUSPENDED
    Then "the group's" is valid
    When an agent reports the token as ACTIVE
    Then "the group's" is valid
    When an agent reports the token of the second card as TERMINATED
    And an agent reports the token as SUSPENDED
    Then "the group's" is on hold
    When an agent reports the token as ACTIVE
    Then "the group's" is valid
    And the record of "the group's" on the token says active

  Scenario: Formatting a member's token does not take it from the others
    Given the operator has certificates revoked when a token is formatted
    And another blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And "the group's" is valid
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds "the group's"

  Scenario: Members enroll again as often as they like
    Given another blank card of stock "gp211-scp02"
    And "alice" enrolls the card
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds "the group's"
    And "the group's" is valid
