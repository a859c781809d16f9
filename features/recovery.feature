@alone
Feature: A new token for one that is out of use
  A person whose token is damaged, stolen or mislaid comes to the desk with another card. What they get
  depends on what happened: the key that others have encrypted for comes back from the archive, unless it
  may be in the wrong hands; whose token may be found again gets a temporary one.

  Background:
    Given a token management system with the usual users

  Scenario Outline: The encryption key comes back on a card of every stock
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "<stock>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token holds certificates for "signing, encryption"
    And the "signing" certificate is another than that of the second card
    And the "signing" certificate of the second card is revoked
    And the "encryption" certificate is that of the second card
    And the activity log of the token holds 1 successful "recovery" entry
    And no intent is left open for the token

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario Outline: What comes back is for state and scheme to say
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.recovery.<reason>.scheme          | <scheme> |
      | op.enroll.userKeyTemporary.keyGen.encryption.recovery.<reason>.scheme | <scheme> |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When an agent reports the token as <state>
    Then the "signing" certificate is <signing>
    And the "encryption" certificate is <encryption>
    Given a second blank card of stock "sce7-scp03"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the token holds <held>
    And the "signing" certificate is another than that of the second card
    And the last "encryption" certificate is <which> of the second card
    And the activity log of the token holds 1 successful "recovery" entry
    And no intent is left open for the token

    Examples:
      | state     | reason        | scheme                       | signing | encryption | which             | held                                                |
      | DAMAGED   | destroyed     | GenerateNewKey               | revoked | valid      | another than that | certificates for "signing, encryption"              |
      | DAMAGED   | destroyed     | RecoverLast                  | revoked | valid      | that              | certificates for "signing, encryption"              |
      | DAMAGED   | destroyed     | GenerateNewKeyAndRecoverLast | revoked | valid      | that              | certificates for "signing, encryption, encryption"  |
      | PERM_LOST | keyCompromise | GenerateNewKey               | revoked | revoked    | another than that | certificates for "signing, encryption"              |
      | PERM_LOST | keyCompromise | RecoverLast                  | revoked | revoked    | that              | what is valid for "signing" and revoked for "encryption" |
      | SUSPENDED | onHold        | GenerateNewKey               | on hold | on hold    | another than that | certificates for "auth, signing, encryption"        |
      | SUSPENDED | onHold        | RecoverLast                  | on hold | on hold    | that              | certificates for "auth, signing, encryption"        |
      | SUSPENDED | onHold        | GenerateNewKeyAndRecoverLast | on hold | on hold    | that              | certificates for "auth, signing, encryption, encryption" |

  Scenario: A signing key never comes back beside a new one
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.recovery.destroyed.scheme | GenerateNewKeyAndRecoverLast |
    Then the system does not start, and says "a signing key is not recovered beside a new one"

  Scenario: A temporary token lasts a week and says that it is one
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as SUSPENDED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token's type is "userKeyTemporary"
    And the card's name is "alice (Temporary)"
    And the "auth" certificate ends within 7 days
    And the "signing" certificate ends within 7 days
    And the activity log of the token holds 1 successful "cert_unrevocation" entry

  Scenario: A security officer's temporary token is of a type of its own
    Given the configuration says
      | op.enroll.soKey.keyGen.encryption.serverKeygen.enable          | true |
      | op.enroll.soKeyTemporary.keyGen.encryption.serverKeygen.enable | true |
    And a blank card of stock "gp211-scp02"
    When "bob" enrolls the card as token type "soKey"
    Then the operation succeeds
    When an agent reports the token as SUSPENDED
    And another blank card of stock "gp211-scp02"
    And "bob" enrolls the card as token type "soKey"
    Then the operation succeeds
    And the token's type is "soKeyTemporary"
    And the "encryption" certificate is that of the second card
    And the "signing" certificate ends within 7 days
    And the token holds certificates for "auth, signing, encryption"

  Scenario Outline: Both tokens are good when the mislaid one is found, until the temporary one is given back
    Given the configuration says
      | op.enroll.userKeyTemporary.keyGen.encryption.recovery.terminated.holdRevocationUntilLastCredential | <hold> |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as SUSPENDED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    When an agent reports the token of the second card as ACTIVE
    Then the "signing" certificate of the second card is valid
    And the "encryption" certificate of the second card is valid
    When an agent reports the token as TERMINATED
    Then the "signing" certificate is revoked
    And the "signing" certificate of the second card is valid
    And the "encryption" certificate of the second card is <shared>

    Examples:
      | hold  | shared  |
      | true  | valid   |
      | false | revoked |

  Scenario: Certificates that a token type spares are not revoked with their token
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.recovery.destroyed.revokeCert | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When an agent reports the token as DAMAGED
    Then all that the token held before is still valid

  Scenario: Certificates are revoked for the reason that the token type gives
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.recovery.keyCompromise.revokeCert.reason | 9 |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When an agent reports the token as PERM_LOST
    Then the "encryption" certificate is revoked for reason 9
    And the "signing" certificate is revoked for reason 1

  Scenario: One after the other, the key comes back on the third card
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "sce6-scp03"
    When "alice" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is that of the second card
    When an agent reports the token as DAMAGED
    And another blank card of stock "sce7-scp03"
    And "alice" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is that of the second card
    And the token holds certificates for "signing, encryption"
    And the archive holds 0 keys made for the card

  Scenario: A key that no authority made can't come back
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails with code 37
    And nothing on the card has changed

  Scenario: A key that was not archived can't come back
    Given the configuration says
      | op.enroll.userKey.keyGen.encryption.serverKeygen.archive | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation fails with code 33
    And nothing on the card has changed

  Scenario: A recovery without the archive leaves both tokens as they were
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    And the key recovery authority is out of reach
    When "alice" enrolls the card
    Then the operation fails with code 37
    And no certificate of the token is valid
    And the "encryption" certificate of the second card is valid
    When the key recovery authority answers again
    And the token management system looks for what it left undone
    And "alice" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is that of the second card
    And the token holds certificates for "signing, encryption"
    And no intent is left open for the token

  Scenario Outline: A card pulled while a key comes back
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "sce7-scp03"
    When "alice" enrolls the card and pulls it after <n> commands
    Then the operation fails
    And the "encryption" certificate of the second card is valid
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is that of the second card
    And the token holds certificates for "signing, encryption"
    And no intent is left open for the token

    Examples:
      | n   |
      | 60  |
      | 110 |
      | 118 |
      | 124 |

  Scenario: Another person does not get it
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    When "bob" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is another than that of the second card
    And the activity log of the token holds 1 successful "enrollment" entry

  Scenario: A terminated token brings nothing back
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as TERMINATED
    And a second blank card of stock "gp211-scp02"
    When "alice" enrolls the card
    Then the operation succeeds
    And the "encryption" certificate is another than that of the second card

  Scenario: A token that is found again is as good as before
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as SUSPENDED
    When an agent reports the token as ACTIVE
    Then the token is ACTIVE and belongs to "alice"
    And the token holds certificates for "signing, encryption"
    And all that the token held before is still valid

  Scenario: A loss that the certificate authority hears of later
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the certificate authority is out of reach
    When an agent cannot report the token as PERM_LOST
    Then the token is ACTIVE and belongs to "alice"
    And all that the token held before is still valid
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then the token's state is still PERM_LOST
    And all that the token held before is revoked with reason 1
