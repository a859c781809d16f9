Feature: Formatting a token
  A security officer takes a blank card out of the vendor's box, puts it into a reader and
  formats it. The system opens a secure channel with the vendor's keys, loads the CoolKey
  applet, replaces the vendor's keys by keys of its own, writes the address of the phone home
  page and remembers the card as a FORMATTED token. Whatever goes wrong on the way, formatting
  the same card again puts it right.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A blank card of every stock becomes a FORMATTED token
    Given a blank card of stock "<stock>"
    When "alice" formats the card as token type "userKey"
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And the token's record names token type "userKey" and the applet on the card
    And the applet on the card answers with version "<applet>"
    And the card's issuer information is the address of the phone home page
    And the activity log of the token reads
      | operation      | result  |
      | add            | success |
      | key_changeover | success |
      | format         | success |

    Examples:
      | stock        | applet         |
      | gp211-scp01  | 1.4.58768072   |
      | gp211-scp02  | 1.4.58768072   |
      | sce6-scp03   | 1.5.65cbf5a6   |
      | sce7-scp03   | 1.5.65cbf5a6   |

  Scenario: The person at the desk sees how far the formatting is
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation succeeds
    And the progress went up to 100 percent without ever going back
    And "PROGRESS_APPLET_BLOCK" was among the tasks shown

  Scenario: A formatted token is formatted again
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And the activity log of the token holds 2 successful "format" entries

  Scenario: What the card remembers survives a cold reset
    Given a FORMATTED token of stock "sce7-scp03"
    When the card is taken out of the reader and put back
    Then the applet on the card answers with version "1.5.65cbf5a6"

  Scenario: A wrong password leaves the card as it was
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card with the password "not-hers"
    Then the operation fails with code 14
    And nothing on the card has changed
    And the token is not in the token database

  Scenario: A user who does not exist is refused like a wrong password
    Given a blank card of stock "gp211-scp02"
    When "mallory" formats the card with the password "whatever1"
    Then the operation fails with code 14
    And nothing on the card has changed

  Scenario: An empty password never becomes an anonymous login
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card with the password ""
    Then the operation fails with code 14
    And nothing on the card has changed

  Scenario Outline: A token whose state does not allow it is not formatted
    Given a FORMATTED token of stock "gp211-scp02"
    And the token's state is <state>
    When "alice" formats the card
    Then the operation fails with code 26
    And nothing on the card has changed
    And the token's state is still <state>

    Examples:
      | state      |
      | DAMAGED    |
      | PERM_LOST  |
      | SUSPENDED  |
      | TERMINATED |

  Scenario: A terminated token that an agent released for reuse is formatted like a blank one
    Given a FORMATTED token of stock "gp211-scp02"
    And the token's state is UNFORMATTED
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody

  Scenario: An unknown card is refused where the configuration says so
    Given the configuration says
      | op.format.allowUnknownToken | false |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation fails with code 16
    And nothing on the card has changed
    And the token is not in the token database

  Scenario: A token type that is switched off is refused
    Given the configuration says
      | config.Profiles.userKey.state | Disabled |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card as token type "userKey"
    Then the operation fails with code 26
    And nothing on the card has changed

  Scenario: A card without applet is refused where the configuration says so
    Given the configuration says
      | op.format.userKey.update.applet.emptyToken.enable | false |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card as token type "userKey"
    Then the operation fails with code 19
    And nothing on the card has changed

  Scenario: An applet file that is missing is found out before the card loses its applet
    Given the configuration says
      | op.format.userKey.update.applet.requiredVersion        | 1.4.00000000 |
      | op.format.userKey.update.applet.requiredVersion.prot.2 | 1.4.00000000 |
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card as token type "userKey"
    Then the operation fails with code 19
    And nothing on the card has changed

  Scenario: A login is not asked for where the token type does without
    Given the configuration says
      | op.format.cleanToken.auth.enable | false |
    And a blank card of stock "gp211-scp02"
    When nobody logs in and the card is formatted as token type "cleanToken"
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody

  Scenario: Formatting needs the user directory
    Given the user directory is down
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation fails with code 25
    And nothing on the card has changed

  Scenario: Formatting needs the token key service
    Given the token key service is down
    And a blank card of stock "gp211-scp02"
    When "alice" formats the card
    Then the operation fails with code 40
    And nothing on the card has changed

  Scenario: A card pulled in the middle is repaired by formatting it again
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card and pulls it after 40 commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "format" entry
    When the card is put back
    And "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody

  Scenario: A client that vanishes leaves a record that says so
    Given a blank card of stock "gp211-scp02"
    When "alice" formats the card and the client vanishes after 40 commands
    Then the activity log of the token soon holds 1 failed "format" entry
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
