@alone
Feature: Enrolling a token
  A person puts a card into the reader of their desk, logs in, chooses a PIN, and gets a card that signs
  and decrypts for them: keys are made on the card, or by the key recovery authority where they have to be
  archived, a certificate authority certifies them, and the card tells programs about both. The system
  remembers whose card it is and what it holds. Whatever goes wrong on the way, nothing is left behind
  that nobody knows of, and enrolling the card again puts it right.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A blank card of every stock becomes a person's ACTIVE token
    Given a blank card of stock "<stock>"
    When "alice" enrolls the card with the PIN "2468"
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token's record names token type "userKey" and the applet on the card
    And the token holds certificates for "signing, encryption"
    And the key of every "encryption" certificate is archived for "alice"
    And the certificates name "alice@example.org"
    And the card's name is "alice"
    And the card accepts the PIN "2468"
    And the applet on the card is personalized
    And the card's issuer information is the address of the phone home page
    And no intent is left open for the token
    And the activity log of the token reads
      | operation      | result  |
      | add            | success |
      | key_changeover | success |
      | format         | success |
      | enrollment     | success |

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: A formatted token is enrolled without losing its applet
    Given a FORMATTED token of stock "gp211-scp02"
    When "bob" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "bob"
    And the token holds certificates for "signing, encryption"
    And the activity log of the token holds 1 successful "format" entry
    And "PROGRESS_WRITE_OBJECTS" was among the tasks shown

  Scenario Outline: All keys of a token of every stock are its own
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable | false |
    And a blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the "signing" certificate is for a key of kind "RSA 2048"
    And the "encryption" certificate is for a key of kind "RSA 2048"
    And the key of the "encryption" certificate is archived nowhere
    And the "signing" certificate allows "digitalSignature, nonRepudiation"
    And the "encryption" certificate allows "keyEncipherment"

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario Outline: Keys travel from the authority to the card wrapped as configured
    Given the configuration says
      | op.enroll.userKey.keyGen.aesKeyWrapAlg               | <wrap> |
      | op.enroll.userKey.keyGen.signing.serverKeygen.enable | true   |
    And a blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the key of every "encryption" certificate is archived for "alice"
    And the key of the "signing" certificate is archived nowhere

    Examples:
      | stock        | wrap |
      | op201-scp01  | KWP  |
      | gp211-scp02  | KWP  |
      | sce6-scp03   | DES  |
      | sce7-scp03   | KWP  |
      | sce7-scp03   | CBC  |

  Scenario Outline: Keys on curves are made by the card, and agree where others decrypt
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.alg                     | 5         |
      | op.enroll.userKey.keyGen.signing.keySize                 | <signing> |
      | op.enroll.userKey.keyGen.encryption.alg                  | 5         |
      | op.enroll.userKey.keyGen.encryption.keySize              | <other>   |
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable  | false     |
    And a blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the keys on the card are of type "EC"
    And the "signing" certificate is for a key of kind "P-<signing>"
    And the "signing" certificate allows "digitalSignature, nonRepudiation"
    And the "encryption" certificate is for a key of kind "P-<other>"
    And the "encryption" certificate allows "keyAgreement"

    Examples:
      | stock        | signing | other |
      | gp211-scp01  | 256     | 256   |
      | gp211-scp02  | 384     | 256   |
      | sce6-scp03   | 256     | 521   |
      | sce7-scp03   | 521     | 384   |

  Scenario: Keys on curves that the authority would have to make are refused before any card comes
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.alg                  | 5    |
      | op.enroll.userKey.keyGen.encryption.keySize              | 384  |
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable  | true |
    Then the system does not start, and says "applets take only RSA keys from outside"

  Scenario: A public key that was changed on its way is not certified
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card, and somebody changes the public key on its way
    Then the operation fails with code 7
    And the token is FORMATTED and belongs to nobody
    And the token has no certificate records
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"

  Scenario: A card that takes its time to make a key
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card, which takes its time to make a key
    Then the operation succeeds
    And the person was told of each key before the card began to make it
    And the token holds certificates for "signing, encryption"

  Scenario: A device is enrolled for itself
    Given a blank card of stock "gp211-scp02"
    When nobody logs in and the card is enrolled as token type "tokenKey"
    Then the operation succeeds
    And the token is ACTIVE and belongs to nobody
    And the token's type is "tokenKey"
    And the token holds certificates for "signing"
    And the certificates name the card
    And the "signing" certificate allows "digitalSignature"
    And the activity log of the token holds 1 successful "enrollment" entry

  Scenario: A device's token is no person's to take
    Given a blank card of stock "gp211-scp02"
    When nobody logs in and the card is enrolled as token type "tokenKey"
    Then the operation succeeds
    When "alice" enrolls the card
    Then the operation fails with code 43
    And nothing on the card has changed
    And the token is ACTIVE and belongs to nobody

  Scenario: A security officer's token
    Given a blank card of stock "gp211-scp02"
    When "bob" enrolls the card as token type "soKey"
    Then the operation succeeds
    And the token is ACTIVE and belongs to "bob"
    And the token's type is "soKey"
    And the token holds certificates for "signing, encryption"

  Scenario Outline: What the card tells readers takes the form that the token type says
    Given the configuration says
      | op.enroll.userKey.pkcs11obj.enable          | <combined>   |
      | op.enroll.userKey.pkcs11obj.compress.enable | <compressed> |
      | op.enroll.userKey.keyGen.tokenName          | token of $userid$, $cuid$ |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the card tells of its keys in <form>
    And the token holds certificates for "signing, encryption"

    Examples:
      | combined | compressed | form                  |
      | true     | true       | one compressed object |
      | true     | false      | one object            |
      | false    | false      | objects of their own  |

  Scenario: The key set that a token type names counts more than the resolver's
    Given the configuration says
      | op.enroll.userKey.tks.keySet | jForte |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails
    And nothing on the card has changed

  Scenario Outline: What a card says of itself is checked before anything is done to it: <check>
    Given the configuration says
      | op.enroll.userKey.<key> | <value> |
    And a blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation fails with code <code>
    And nothing on the card has changed
    And the token has no certificate records

    Examples:
      | check                                   | key                              | value | stock       | code |
      | its unique id is not what its keys have | cuidMustMatchKDD                 | true  | sce7-scp03  | 17   |
      | its keys are too old                    | minimumGPKeyVersion              | 02    | op201-scp01 | 17   |
      | its keys are too new                    | maximumGPKeyVersion              | FE    | gp211-scp02 | 17   |
      | it has no applet                        | update.applet.emptyToken.enable  | false | gp211-scp02 | 19   |

  Scenario: A card that shows other keys than its record has is refused
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the token's record names key version "05"
    When "alice" enrolls the card
    Then the operation fails with code 17
    And nothing on the card has changed
    And all that the token held before is still valid

  Scenario: A token type that sets no PIN
    Given the configuration says
      | op.enroll.userKey.pinReset.enable | false |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card with the PIN "2468"
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the card refuses the PIN "2468"

  Scenario: A token type that leaves the card's own keys alone
    Given the configuration says
      | op.enroll.userKey.update.symmetricKeys.enable | false |
    And a blank card of stock "gp211-scp01"
    When "alice" enrolls the card
    Then the operation succeeds
    And the card answers with key version "FF"
    And the token's record holds the key version that the card answers with
    And the token holds certificates for "signing, encryption"

  Scenario: A token type that enrolls persons always asks them to log in
    Given the configuration says
      | op.enroll.userKey.auth.enable | false |
    And a blank card of stock "gp211-scp02"
    When nobody logs in and the card is enrolled as token type "userKey"
    Then the operation fails with code 14
    And nothing on the card has changed

  Scenario: Policies of new tokens are what the configuration says
    Given the configuration says
      | tokendb.defaultPolicy | RE_ENROLL=NO;PIN_RESET=YES |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" enrolls the card
    Then the operation fails with code 26
    When "alice" sets the PIN to "11223344"
    Then the operation succeeds
    And the card accepts the PIN "11223344"

  Scenario: A person has one active token
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails with code 34
    And nothing on the card has changed

  Scenario: A person may have several where the configuration says so
    Given the configuration says
      | tokendb.nonExternalReg.allowMultiActiveTokensUser | true |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"

  Scenario: An unknown card is refused where the configuration says so
    Given the configuration says
      | op.enroll.allowUnknownToken | false |
    And a blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails with code 16
    And nothing on the card has changed
    And the token is not in the token database

  Scenario Outline: A token whose state does not allow it
    Given a FORMATTED token of stock "gp211-scp02"
    And the token's state is <state>
    When "alice" enrolls the card
    Then the operation fails with code <code>
    And nothing on the card has changed

    Examples:
      | state      | code |
      | DAMAGED    | 26   |
      | PERM_LOST  | 32   |
      | TERMINATED | 35   |

  Scenario: A PIN that is too short stops the enrollment before it begins
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card with the PIN "123"
    Then the operation fails
    And nothing on the card has changed

  Scenario: An enrollment without the certificate authority leaves nothing behind
    Given a FORMATTED token of stock "gp211-scp02"
    And the certificate authority is out of reach
    When "alice" enrolls the card
    Then the operation fails with code 10
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then no certificate of the token is valid
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And no intent is left open for the token

  Scenario Outline: A card pulled in the middle is put right by enrolling it again
    Given a FORMATTED token of stock "gp211-scp02"
    When "alice" enrolls the card and pulls it after <n> commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "enrollment" entry
    And no certificate of the token is valid
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption"
    And the key of every "encryption" certificate is archived for "alice"
    And no intent is left open for the token

    Examples:
      | n  |
      | 12 |
      | 18 |
      | 24 |
      | 30 |

  Scenario: Formatting a token revokes what it holds
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And the token has no certificate records
    And no certificate of the token is valid

  Scenario: Formatting a token leaves its certificates alone where the token type says so
    Given the configuration says
      | op.format.userKey.revokeCert | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When "alice" formats the card
    Then the operation succeeds
    And the token is FORMATTED and belongs to nobody
    And all that the token held before is still valid

  Scenario: A token that cannot be cleared of its certificates is not formatted
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority is out of reach
    When "alice" formats the card
    Then the operation fails with code 42
    And the token is ACTIVE and belongs to "alice"
    When the certificate authority answers again
    And "alice" formats the card
    Then the operation succeeds
    And no certificate of the token is valid
