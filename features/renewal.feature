@alone
Feature: Renewing the certificates of a token
  Certificates end before cards do. A token whose policy says so gets successors for the keys that it has,
  and the card goes on telling of the certificate that others have encrypted for so far.

  Background:
    Given a token management system with the usual users
    And an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"

  Scenario: Successors for the same keys
    When "alice" enrolls the card
    Then the operation succeeds
    And the token is ACTIVE and belongs to "alice"
    And the new certificates are for the keys that the card had before
    And the token holds certificates for "signing, encryption, encryption"
    And all that the token held before is still valid
    And the activity log of the token holds 1 successful "renewal" entry
    And no intent is left open for the token

  Scenario: The former encryption certificate goes where the policy says so
    Given the policy of the token says "RENEW_KEEP_OLD_ENC_CERTS=NO"
    When "alice" enrolls the card
    Then the operation succeeds
    And the new certificates are for the keys that the card had before
    And the token holds certificates for "signing, encryption"

  Scenario: A renewal without the certificate authority leaves the token as it was
    Given the certificate authority is out of reach
    When "alice" enrolls the card
    Then the operation fails with code 37
    And the token is ACTIVE and belongs to "alice"
    When the certificate authority answers again
    And the token management system looks for what it left undone
    Then the token holds certificates for "signing, encryption"
    When "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption, encryption"

  Scenario: A card pulled while it is renewed
    When "alice" enrolls the card and pulls it after 24 commands
    Then the operation fails
    And the activity log of the token soon holds 1 failed "renewal" entry
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the token holds certificates for "signing, encryption, encryption"
    And no intent is left open for the token
