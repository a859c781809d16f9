@programs
Feature: The CoolKey PKCS#11 module
  Programs on a desk reach the keys on a token through a PKCS#11 module. The one that was made for
  CoolKey tokens finds the applet by itself, shows what the token tells about its certificates and
  keys, and works with the keys once its holder has given the PIN.

  Scenario: The token is listed
    Given Alice's card with a signing and an encryption key, RSA 2048
    When pkcs11-tool lists the tokens of the coolkey module
    Then it shows the holder's token with the flags "login required, token initialized, PIN initialized, readonly"

  Scenario Outline: Certificates and keys are listed before anybody logs in
    Given Alice's card of stock "<stock>" with a signing and an encryption key, RSA 2048
    When pkcs11-tool lists the objects of the coolkey module
    Then it lists the certificate and the keys of every pair

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce7-scp03  |

  Scenario Outline: A card tells of its keys in every form
    Given Alice's card whose content is <form>
    When pkcs11-tool lists the objects of the coolkey module
    Then it lists the certificate and the keys of every pair

    Examples:
      | form                |
      | compressed          |
      | uncompressed        |
      | in separate objects |

  Scenario: The PIN opens the card
    Given Alice's card with a signing and an encryption key, RSA 2048
    When pkcs11-tool logs in to the coolkey module with the PIN "1234"
    Then it succeeds

  Scenario: Wrong PINs count down until the card is blocked
    Given Alice's card with a signing key, RSA 1024
    When pkcs11-tool logs in to the coolkey module with the PIN "0000"
    Then it fails with "CKR_PIN_INCORRECT"
    And the card has 2 of 3 tries left
    When pkcs11-tool logs in to the coolkey module with the PIN "0000"
    Then it fails with "CKR_PIN_INCORRECT"
    And the card has 1 of 3 tries left
    When pkcs11-tool logs in to the coolkey module with the PIN "0000"
    Then it fails with "CKR_PIN_INCORRECT"
    And the card has 0 of 3 tries left
    When pkcs11-tool logs in to the coolkey module with the PIN "1234"
    Then it fails with "CKR_PIN_LOCKED"

  Scenario: The right PIN gives all tries back
    Given Alice's card with a signing key, RSA 1024
    When pkcs11-tool logs in to the coolkey module with the PIN "0000"
    Then it fails with "CKR_PIN_INCORRECT"
    And the card has 2 of 3 tries left
    When pkcs11-tool logs in to the coolkey module with the PIN "1234"
    Then it succeeds
    And the card has 3 of 3 tries left

  Scenario Outline: A message is signed
    Given Alice's card with a signing key, <key>
    When pkcs11-tool signs a message with the coolkey module by "RSA-PKCS"
    Then openssl verifies the signature by the card's certificate
    And openssl finds the signature wrong for another message

    Examples:
      | key      |
      | RSA 1024 |
      | RSA 2048 |

  Scenario Outline: A message is decrypted
    Given Alice's card with an encryption key, <key>
    When openssl encrypts a message for the card's certificate
    And pkcs11-tool decrypts it with the coolkey module
    Then it reads the message

    Examples:
      | key      |
      | RSA 1024 |
      | RSA 2048 |

  Scenario: The module refuses to change the PIN, and the card is unharmed
    Given Alice's card with a signing key, RSA 1024
    When pkcs11-tool asks the coolkey module to change the PIN from "1234" to "5678"
    Then it fails with "CKR_FUNCTION_NOT_SUPPORTED"
    And the card has 3 of 3 tries left
    And the PIN "1234" still opens the card

  Scenario: The module knows no keys on curves, and shows nothing of a card that has one
    Given Alice's card with a signing key, P-256
    When pkcs11-tool lists the objects of the coolkey module
    Then it lists nothing

  Scenario: A program that stays sees the card go and another one come
    Given Alice's card with a signing and an encryption key, RSA 2048
    And Bob's card is at hand, out of the reader
    When a program loads the coolkey module
    Then it sees the holder's token
    And it sees the certificate and the keys of every pair
    When the card is taken out and the other is put in its place
    Then it soon sees the holder's token
    And it sees the certificate and the keys of every pair
    When it logs in with the PIN "1234"
    Then a message that it signs is verified by the card's certificate
    When the card is taken out
    Then it soon sees no token

  Scenario Outline: A program signs and decrypts
    Given Alice's card of stock "<stock>" with a signing and an encryption key, RSA 2048
    When a program loads the coolkey module
    Then signing is refused with "CKR_USER_NOT_LOGGED_IN"
    When it logs in with the PIN "1234"
    Then a message that it signs is verified by the card's certificate
    And a message for the card's certificate is one that it can read

    Examples:
      | stock       |
      | gp211-scp02 |
      | sce7-scp03  |

  Scenario: A program meets wrong PINs until the card is blocked
    Given Alice's card with a signing key, RSA 1024
    When a program loads the coolkey module
    Then the PIN "0000" is refused with "CKR_PIN_INCORRECT"
    And the PIN "0000" is refused with "CKR_PIN_INCORRECT"
    And the PIN "0000" is refused with "CKR_PIN_INCORRECT"
    And the PIN "1234" is refused with "CKR_PIN_LOCKED"

  Scenario: A program cannot change the PIN, and the card is unharmed
    Given Alice's card with a signing key, RSA 1024
    When a program loads the coolkey module
    Then changing the PIN from "1234" to "5678" is refused with "CKR_FUNCTION_NOT_SUPPORTED"
    And the card has been sent no VERIFY PIN
    When it logs in with the PIN "1234"
    Then a message that it signs is verified by the card's certificate
