@programs @alone
Feature: Working with an enrolled token
  A token is good for something once programs that know nothing of the system that made it work with it:
  a PKCS#11 module that was written for such cards signs and decrypts for the person, and whoever gets
  the signature finds the certificate, and what has become of it, good by the measure of another program.
  What was sealed for a person is read again with the next token, when the one it was sealed for is gone.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A token of every stock signs and decrypts with the module made for it
    Given a blank card of stock "<stock>"
    When "alice" enrolls the card with the PIN "2468"
    Then the operation succeeds
    When pkcs11-tool lists the tokens of the coolkey module
    Then it shows the holder's token with the flags "login required, token initialized, PIN initialized, readonly"
    When pkcs11-tool lists the objects of the coolkey module
    Then it lists the certificate and the keys of every pair
    When pkcs11-tool signs a message with the coolkey module by "RSA-PKCS"
    Then openssl verifies the signature by the card's certificate
    And openssl finds the signature wrong for another message
    When openssl encrypts a message for the card's certificate
    And pkcs11-tool decrypts it with the coolkey module
    Then it reads the message
    And openssl and the certificate authority agree that the "signing" certificate is valid
    And openssl and the certificate authority agree that the "encryption" certificate is valid

    Examples:
      | stock       |
      | op201-scp01 |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario Outline: A token of every stock signs and decrypts with OpenSC
    Given a blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation succeeds
    When opensc-tool is asked for the card's name
    Then it names the card "COOLKEY"
    When pkcs15-tool dumps the card
    Then it shows the PIN, and the certificate and the keys of every pair
    When pkcs11-tool signs a message with the opensc module by "SHA256-RSA-PKCS-PSS"
    Then openssl verifies the signature by the card's certificate
    When openssl encrypts a message for the card's certificate
    And pkcs11-tool decrypts it with the opensc module
    Then it reads the message

    Examples:
      | stock       |
      | op201-scp01 |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario: Keys on curves sign and agree with OpenSC
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.alg                    | 5     |
      | op.enroll.userKey.keyGen.signing.keySize                | 256   |
      | op.enroll.userKey.keyGen.encryption.alg                 | 5     |
      | op.enroll.userKey.keyGen.encryption.keySize             | 384   |
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable | false |
    And a blank card of stock "sce7-scp03"
    When "alice" enrolls the card
    Then the operation succeeds
    When pkcs11-tool signs a message with the opensc module by "ECDSA"
    Then openssl verifies the signature by the card's certificate
    When openssl makes a key pair on the same curve
    And pkcs11-tool derives a secret with the opensc module
    Then openssl derives the same secret from the other side

  Scenario Outline: What was sealed for a damaged token is read with the next one
    Given an ACTIVE token of stock "<first>" that belongs to "alice"
    When openssl encrypts a message for the card's certificate
    And an agent reports the token as DAMAGED
    Then openssl and the certificate authority agree that the "signing" certificate is revoked
    And openssl and the certificate authority agree that the "encryption" certificate is valid
    Given a second blank card of stock "<second>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is that of the second card
    When pkcs11-tool decrypts it with the <module> module
    Then it reads the message
    When pkcs11-tool signs a message with the <module> module by "RSA-PKCS"
    Then openssl verifies the signature by the card's certificate
    And openssl and the certificate authority agree that the "signing" certificate is valid

    Examples:
      | first       | second      | module  |
      | gp211-scp02 | sce7-scp03  | coolkey |
      | sce7-scp03  | gp211-scp02 | opensc  |
      | sce6-scp03  | op201-scp01 | coolkey |

  Scenario: A stolen token's certificates are good for nothing from that moment
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    Then openssl and the certificate authority agree that the "signing" certificate is valid
    When an agent reports the token as PERM_LOST
    Then openssl and the certificate authority agree that the "signing" certificate is revoked
    And openssl and the certificate authority agree that the "encryption" certificate is revoked

  Scenario: A mislaid token's work is done by a temporary one until it is found
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When openssl encrypts a message for the card's certificate
    And an agent reports the token as SUSPENDED
    Then openssl and the certificate authority agree that the "signing" certificate is on hold
    And openssl and the certificate authority agree that the "encryption" certificate is on hold
    Given a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And openssl and the certificate authority agree that the "signing" certificate of the second card is on hold
    And openssl and the certificate authority agree that the "encryption" certificate is valid
    When pkcs11-tool decrypts it with the coolkey module
    Then it reads the message
    When pkcs11-tool signs a message with the coolkey module by "RSA-PKCS"
    Then openssl verifies the signature by the card's certificate
    When the card is taken out and the other is put in its place
    And an agent reports the token as ACTIVE
    Then openssl and the certificate authority agree that the "signing" certificate is valid
    When pkcs11-tool signs a message with the coolkey module by "RSA-PKCS"
    Then openssl verifies the signature by the card's certificate

  Scenario Outline: Mails are signed and opened, the latter with the next token, too
    Given an ACTIVE token of stock "<first>" that belongs to "alice"
    When openssl signs a mail with the coolkey module
    Then openssl accepts the signed mail by the authority's revocation list of this moment
    When openssl seals a mail for the card's certificate
    And openssl opens the mail with the coolkey module
    Then it reads the mail
    When an agent reports the token as DAMAGED
    Then openssl turns the signed mail down, since "certificate revoked"
    Given a second blank card of stock "<second>"
    When "alice" enrolls the card
    Then the operation succeeds
    When openssl opens the mail with the coolkey module
    Then it reads the mail
    When openssl signs a mail with the coolkey module
    Then openssl accepts the signed mail by the authority's revocation list of this moment

    Examples:
      | first       | second      |
      | gp211-scp02 | sce7-scp03  |
      | sce7-scp03  | gp211-scp02 |

  Scenario: A renewed token reads what was sealed before and signs by its new certificate
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When openssl encrypts a message for the card's certificate
    And "alice" enrolls the card
    Then the operation succeeds
    When pkcs11-tool decrypts it with the coolkey module
    Then it reads the message
    When pkcs11-tool signs a message with the coolkey module by "RSA-PKCS"
    Then openssl verifies the signature by the card's certificate

  Scenario: A PIN that was set anew opens the keys, and the former one does not
    Given an ACTIVE token of stock "sce7-scp03" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When "alice" sets the PIN to "8642"
    Then the operation succeeds
    When pkcs11-tool logs in to the coolkey module with the PIN "135790"
    Then it fails with "CKR_PIN_INCORRECT"
    When pkcs11-tool logs in to the coolkey module with the PIN "8642"
    Then it succeeds
    When pkcs11-tool signs a message with the coolkey module by "RSA-PKCS"
    Then openssl verifies the signature by the card's certificate

  Scenario: A token that is formatted shows nothing of what it held
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When pkcs11-tool lists the objects of the coolkey module
    Then it lists the certificate and the keys of every pair
    When "alice" formats the card
    Then the operation succeeds
    When pkcs11-tool lists the objects of the coolkey module
    Then it lists nothing
