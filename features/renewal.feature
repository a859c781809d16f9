@alone
Feature: Renewing the certificates of a token
  Certificates end before cards do. A token whose policy says so gets successors for the keys that it has,
  and the card goes on telling of the certificate that others have encrypted for so far.

  Background:
    Given a token management system with the usual users

  Scenario Outline: Successors for the same keys of a token of every stock
    Given an ACTIVE token of stock "<stock>" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the new certificates are for the keys that the card had before
    And the token holds certificates for "signing, encryption, encryption"
    And all that the token held before is still valid
    And the activity log of the token holds 1 successful "renewal" entry
    And the activity log of the token holds 1 successful "enrollment" entry
    And the archive holds 1 key made for the card
    And no intent is left open for the token

    Examples:
      | stock        |
      | op201-scp01  |
      | gp211-scp01  |
      | gp211-scp02  |
      | sce6-scp03   |
      | sce7-scp03   |

  Scenario: Keys on curves are renewed like others
    Given the configuration says
      | op.enroll.userKey.keyGen.signing.alg                    | 5     |
      | op.enroll.userKey.keyGen.signing.keySize                | 256   |
      | op.enroll.userKey.keyGen.encryption.alg                 | 5     |
      | op.enroll.userKey.keyGen.encryption.keySize             | 384   |
      | op.enroll.userKey.keyGen.encryption.serverKeygen.enable | false |
    And an ACTIVE token of stock "sce7-scp03" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When "alice" enrolls the card
    Then the operation succeeds
    And the new certificates are for the keys that the card had before
    And the "encryption" certificate allows "keyAgreement"

  Scenario: Renewed twice, the card goes on telling of every former encryption certificate
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When "alice" enrolls the card
    And "alice" enrolls the card
    Then the operation succeeds
    And the new certificates are for the keys that the card had before
    And the token holds certificates for "signing, encryption, encryption, encryption"
    And the activity log of the token holds 2 successful "renewal" entries

  Scenario: A token whose policy does not allow to renew it gets new keys
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=NO"
    When "alice" enrolls the card
    Then the operation succeeds
    And the keys are others than before
    And all that the token held before is revoked with reason 4

  Scenario: Another person's token
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When "bob" enrolls the card
    Then the operation fails with code 43
    And nothing on the card has changed
    And all that the token held before is still valid

  Scenario Outline: Certificates are renewed in their period of grace only
    Given the configuration says
      | op.enroll.userKey.renewal.signing.gracePeriod.enable    | true     |
      | op.enroll.userKey.renewal.signing.gracePeriod.before    | <before> |
      | op.enroll.userKey.renewal.encryption.gracePeriod.enable | true     |
      | op.enroll.userKey.renewal.encryption.gracePeriod.before | <before> |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "<held>"
    And all that the token held before is still valid
    And the activity log of the token holds 1 successful "renewal" entry

    Examples:
      | before | held                            |
      | 30     | signing, encryption             |
      | 1800   | signing, encryption             |
      | 1826   | signing, encryption, encryption |

  Scenario: Only the key types that are to be renewed
    Given the configuration says
      | op.enroll.userKey.renewal.encryption.enable | false |
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When "alice" enrolls the card
    Then the operation succeeds
    And the new certificates are for the keys that the card had before
    And the token holds certificates for "signing, encryption"

  Scenario: The former encryption certificate goes where the policy says so
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    And the policy of the token says "RENEW_KEEP_OLD_ENC_CERTS=NO"
    When "alice" enrolls the card
    Then the operation succeeds
    And the new certificates are for the keys that the card had before
    And the token holds certificates for "signing, encryption"

  Scenario: A renewal without the certificate authority leaves the token as it was
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    And the certificate authority is out of reach
    When "alice" enrolls the card
    Then the operation fails with code 37
    And the token is ACTIVE and belongs to "alice"
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then the token holds certificates for "signing, encryption"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption, encryption"

  Scenario Outline: A card pulled while it is renewed
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When "alice" enrolls the card and pulls it after <n> commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "renewal" entry
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption, encryption"
    And no intent is left open for the token

    Examples:
      | n  |
      | 12 |
      | 24 |
      | 30 |
