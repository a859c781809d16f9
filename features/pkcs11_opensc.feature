@programs
Feature: OpenSC
  OpenSC has a driver of its own for CoolKey tokens. It shows them as PKCS#15 cards, and its PKCS#11
  module pads on its own side, so that it can do more with the same keys.

  Scenario Outline: OpenSC knows the card
    Given Alice's card of stock "<stock>" with a signing and an encryption key, RSA 2048
    When opensc-tool is asked for the card's name
    Then it names the card "COOLKEY"
    When pkcs15-tool dumps the card
    Then it shows the PIN, and the certificate and the keys of every pair

    Examples:
      | stock       |
      | gp211-scp02 |
      | sce7-scp03  |

  Scenario: The token is listed
    Given Alice's card with a signing and an encryption key, RSA 2048
    When pkcs11-tool lists the tokens of the opensc module
    Then it shows the holder's token with the flags "login required, token initialized, PIN initialized"

  Scenario: Certificates and keys are listed once the holder has logged in
    Given Alice's card with a signing and an encryption key, RSA 2048
    When pkcs11-tool logs in to the opensc module with the PIN "1234"
    Then it succeeds
    And it lists the certificate and the keys of every pair

  Scenario: Wrong PINs count down until the card is blocked
    Given Alice's card with a signing key, RSA 1024
    When pkcs11-tool logs in to the opensc module with the PIN "0000"
    Then it fails with "CKR_PIN_INCORRECT"
    And the card has 2 of 3 tries left
    When pkcs11-tool logs in to the opensc module with the PIN "0000"
    And pkcs11-tool logs in to the opensc module with the PIN "0000"
    Then it fails with "CKR_PIN_INCORRECT"
    And the card has 0 of 3 tries left
    When pkcs11-tool logs in to the opensc module with the PIN "1234"
    Then it fails with "CKR_PIN_LOCKED"

  Scenario Outline: A message is signed
    Given Alice's card with a signing key, <key>
    When pkcs11-tool signs a message with the opensc module by "<mechanism>"
    Then openssl verifies the signature by the card's certificate
    And openssl finds the signature wrong for another message

    Examples:
      | key      | mechanism           |
      | RSA 1024 | RSA-PKCS            |
      | RSA 2048 | SHA256-RSA-PKCS     |
      | RSA 2048 | SHA256-RSA-PKCS-PSS |
      | P-256    | ECDSA               |
      | P-384    | ECDSA               |
      | P-521    | ECDSA               |

  Scenario Outline: A message is decrypted
    Given Alice's card with an encryption key, <key>
    When openssl encrypts a message for the card's certificate
    And pkcs11-tool decrypts it with the opensc module
    Then it reads the message

    Examples:
      | key      |
      | RSA 1024 |
      | RSA 2048 |

  Scenario Outline: Two sides agree on a secret
    Given Alice's card with an agreement key, <key>
    When openssl makes a key pair on the same curve
    And pkcs11-tool derives a secret with the opensc module
    Then openssl derives the same secret from the other side

    Examples:
      | key   |
      | P-256 |
      | P-384 |
      | P-521 |

  Scenario Outline: A program signs
    Given Alice's card with a signing key, <key>
    When a program loads the opensc module
    And it logs in with the PIN "1234"
    Then a message that it signs is verified by the card's certificate

    Examples:
      | key      |
      | RSA 2048 |
      | P-256    |

  Scenario: A program decrypts
    Given Alice's card with an encryption key, RSA 2048
    When a program loads the opensc module
    And it logs in with the PIN "1234"
    Then a message for the card's certificate is one that it can read

  Scenario: A program agrees on a secret
    Given Alice's card with an agreement key, P-256
    When a program loads the opensc module
    And it logs in with the PIN "1234"
    Then it and the other side agree on the same secret
