@alone
Feature: Clients of an older system
  The native test client of the older system is what its operators try a server out with. It shows a soft
  token that knows little: it answers every GET DATA with the same bytes, has neither life cycle nor list
  of objects, throws away what is loaded or brought to it, and says nothing at all to commands that it
  does not know. It writes its answers in its own way, and checks nothing. What a card can do that such
  a token can't is only nice to have: the operations end well without.

  Background:
    Given a token management system with the usual users

  Scenario Outline: The old client formats, enrolls, sets the PIN and renews, at security level <level>
    Given the configuration says
      | channel.scp01.no.le.byte | true         |
      | channel.encryption       | <encryption> |
    And the old test client with a token out of its box
    When "alice" formats the token with the old client
    Then the server ends the old client's operation with END_OP 0
    And the record of the old client's token says FORMATTED and ""
    And the old client's token has keys of version 2
    When "alice" enrolls the token with the old client and the PIN "2468"
    Then the server ends the old client's operation with END_OP 0
    And the record of the old client's token says ACTIVE and "alice"
    And the old client's token has the PIN "2468"
    And the old client's token has made 1 keys and been brought 1
    And the valid certificates of the old client's token are 2, and one is for the key it made last
    When an agent lets the PIN of the old client's token be set
    And "alice" sets the PIN to "60%ofme" with the old client
    Then the server ends the old client's operation with END_OP 0
    And the old client's token has the PIN "60%ofme"
    And the record of the old client's token says ACTIVE and "alice"
    When "alice" enrolls the token with the old client and the PIN "13579"
    Then the server ends the old client's operation with END_OP 0
    And the old client's token has made 2 keys and been brought 2
    And the valid certificates of the old client's token are 2, and one is for the key it made last
    When an agent lets the certificates of the old client's token be renewed
    And "alice" enrolls the token with the old client and the PIN "24680"
    Then the server ends the old client's operation with END_OP 0
    And the old client's token has made 2 keys and been brought 2
    When "alice" formats the token with the old client
    Then the server ends the old client's operation with END_OP 0
    And the record of the old client's token says FORMATTED and ""

    Examples:
      | level | encryption |
      | 3     | true       |
      | 1     | false      |

  Scenario: The token of the recorded client is enrolled without having been formatted
    Given the configuration says
      | channel.scp01.no.le.byte | true |
    And the old test client with the token that was recorded
    When "alice" enrolls the token with the old client and the PIN "2468"
    Then the server ends the old client's operation with END_OP 0
    And the record of the old client's token says ACTIVE and "alice"
    And the old client's token has keys of version 2

  Scenario: All keys of the old client's token are its own
    Given the configuration says
      | channel.scp01.no.le.byte                                | true  |
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable | false |
    And the old test client with a token out of its box
    When "alice" enrolls the token with the old client and the PIN "2468"
    Then the server ends the old client's operation with END_OP 0
    And the old client's token has made 2 keys and been brought 0
    And the valid certificates of the old client's token are 2, and one is for the key it made last
