@programs
Feature: A TLS client with its key on a card
  A server asks its visitors for a certificate. The private key is on the card and never leaves it;
  the program that connects has the card sign the handshake.

  Scenario Outline: GnuTLS connects with OpenSC's module
    Given Alice's card with a signing key, <key>
    And a server on loopback that asks for a certificate of the cards' issuer
    When gnutls-cli connects over TLS <version> with the opensc module and the PIN "1234"
    Then the server has let the card's holder in over TLS <version>

    Examples:
      | key      | version |
      | RSA 2048 | 1.2     |
      | RSA 2048 | 1.3     |
      | P-256    | 1.3     |

  Scenario: A wrong PIN opens no door
    Given Alice's card with a signing key, RSA 2048
    And a server on loopback that asks for a certificate of the cards' issuer
    When gnutls-cli connects over TLS 1.3 with the opensc module and the PIN "0000"
    Then it fails with "wrong"
    And the server has let nobody in
    And the card has 2 of 3 tries left

  Scenario: OpenSSL connects with the CoolKey module, told to sign in the old form
    Given Alice's card with a signing key, RSA 2048
    And a server on loopback that asks for a certificate of the cards' issuer
    When openssl connects over TLS 1.2 with the coolkey module
    Then the server has let the card's holder in over TLS 1.2

  Scenario: The CoolKey module signs in the old form only, and TLS 1.3 takes no such signature
    Given Alice's card with a signing key, RSA 2048
    And a server on loopback that asks for a certificate of the cards' issuer
    When openssl connects over TLS 1.3 with the coolkey module
    Then the server has turned the visitor away for "invalid signature by the client certificate"
    And the card has 3 of 3 tries left
