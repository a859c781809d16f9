@programs
Feature: Logging in to an operating system with a card
  A user who has a card logs in with it: over the network with OpenSSH, and at the machine with a
  PAM service that checks the card's certificate and has the card sign.

  Scenario Outline: OpenSSH logs in
    Given Alice's card with a signing and an encryption key, RSA 2048
    And an sshd on loopback that knows the card's signing key
    When ssh logs in with the <module> module and the PIN "1234"
    Then the command on the other side has run

    Examples:
      | module  |
      | coolkey |
      | opensc  |

  Scenario: OpenSSH logs in with a key on a curve
    Given Alice's card with a signing key, P-256
    And an sshd on loopback that knows the card's signing key
    When ssh logs in with the opensc module and the PIN "1234"
    Then the command on the other side has run

  Scenario: A wrong PIN logs nobody in
    Given Alice's card with a signing key, RSA 2048
    And an sshd on loopback that knows the card's signing key
    When ssh logs in with the coolkey module and the PIN "0000"
    Then it fails with "Permission denied (publickey)"
    And the card has 2 of 3 tries left

  Scenario: Somebody else's card is turned away
    Given Alice's card with a signing and an encryption key, RSA 2048
    And Bob's card is at hand, out of the reader
    And an sshd on loopback that knows the card's signing key
    When the card is taken out and the other is put in its place
    And ssh logs in with the coolkey module and the PIN "1234"
    Then it fails with "Permission denied (publickey)"
    And the card has 3 of 3 tries left

  Scenario Outline: PAM lets the holder in
    Given Alice's card with a signing and an encryption key, RSA 2048
    And a PAM service that asks for a card of the cards' issuer, with the <module> module
    When "alice" logs in to the PAM service with the PIN "1234"
    Then it succeeds

    Examples:
      | module  |
      | coolkey |
      | opensc  |

  Scenario: PAM lets nobody in by somebody else's card
    Given Alice's card with a signing and an encryption key, RSA 2048
    And a PAM service that asks for a card of the cards' issuer, with the coolkey module
    When "bob" logs in to the PAM service with the PIN "1234"
    Then it fails with "No matching certificate found"

  Scenario: PAM lets nobody in by a wrong PIN
    Given Alice's card with a signing and an encryption key, RSA 2048
    And a PAM service that asks for a card of the cards' issuer, with the coolkey module
    When "alice" logs in to the PAM service with the PIN "0000"
    Then it fails with "failure"
    And the card has 2 of 3 tries left
