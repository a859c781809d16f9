@alone
Feature: Another applet on the card
  The applet on tokens gets older than the one that the operator wants, or turns out to be too new. Every
  operation can bring the required one along, upwards and downwards; it says so before it takes anything
  away, and what the former applet held is not promised by anybody any more.

  Background:
    Given a token management system with the usual users

  Scenario Outline: A formatted token gets the required applet when it is enrolled
    Given a FORMATTED token of stock "<stock>"
    And the applet on the card answers with version "<before>"
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion        | <after> |
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | <after> |
      | op.enroll.userKey.update.applet.requiredVersion.prot.3 | <after> |
    And "alice" enrolls the card
    Then the operation succeeds
    And "PROGRESS_APPLET_BLOCK" was among the tasks shown
    And the applet on the card answers with version "<after>"
    And the token's record names token type "userKey" and the applet on the card
    And the applet on the card is personalized
    And the card's issuer information is the address of the phone home page
    And the token holds certificates for "signing, encryption"

    Examples:
      | stock        | before       | after        |
      | op201-scp01  | 1.4.58768072 | 1.5.65cbf5a6 |
      | gp211-scp01  | 1.4.58768072 | 1.5.65cbf5a6 |
      | gp211-scp02  | 1.4.58768072 | 1.5.65cbf5a6 |
      | sce6-scp03   | 1.5.65cbf5a6 | 1.5.64260792 |
      | sce7-scp03   | 1.5.65cbf5a6 | 1.5.64260792 |

  Scenario Outline: An applet of another version gives way to the required one, newer or older
    Given the configuration says
      | op.format.userKey.update.applet.requiredVersion        | <before> |
      | op.format.userKey.update.applet.requiredVersion.prot.2 | <before> |
      | op.format.userKey.update.applet.requiredVersion.prot.3 | <before> |
    And a FORMATTED token of stock "<stock>"
    And the applet on the card answers with version "<before>"
    When "alice" enrolls the card
    Then the operation succeeds
    And the applet on the card answers with version "<after>"
    And the token's record names token type "userKey" and the applet on the card
    And the token holds certificates for "signing, encryption"

    Examples:
      | stock        | before       | after        |
      | op201-scp01  | 1.5.65cbf5a6 | 1.4.58768072 |
      | gp211-scp01  | 1.5.65cbf5a6 | 1.4.58768072 |
      | gp211-scp02  | 1.5.64260792 | 1.4.58768072 |
      | sce6-scp03   | 1.5.64260792 | 1.5.65cbf5a6 |
      | sce7-scp03   | 1.5.64260792 | 1.5.65cbf5a6 |

  Scenario: An applet that the token type leaves alone stays
    Given a FORMATTED token of stock "gp211-scp02"
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
      | op.enroll.userKey.update.applet.enable                 | false        |
    And "alice" enrolls the card
    Then the operation succeeds
    And the applet on the card answers with version "1.4.58768072"
    And the token holds certificates for "signing, encryption"

  Scenario: Up and down again while the token is in use
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the applet on the card answers with version "1.5.65cbf5a6"
    And the token holds certificates for "signing, encryption"
    And the keys are others than before
    And all that the token held before is revoked with reason 4
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | 1.4.58768072 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the applet on the card answers with version "1.4.58768072"
    And the token holds certificates for "signing, encryption"
    And all that the token held before is revoked with reason 4
    And the card accepts the PIN "135790"

  Scenario: Formatting brings the required applet, whichever was there
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator sets
      | op.format.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
    And "alice" formats the card
    Then the operation succeeds
    And the applet on the card answers with version "1.5.65cbf5a6"
    And the token's record names token type "userKey" and the applet on the card
    And the token is FORMATTED and belongs to nobody

  Scenario: A renewal keeps the applet, and with it the keys
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "RENEW=YES"
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the applet on the card answers with version "1.4.58768072"
    And the new certificates are for the keys that the card had before

  Scenario: A recovery brings the required applet along
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And an agent reports the token as DAMAGED
    And a second blank card of stock "gp211-scp02"
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
    And "alice" enrolls the card
    Then the operation succeeds
    And the applet on the card answers with version "1.5.65cbf5a6"
    And the "encryption" certificate is that of the second card
    And the token holds certificates for "signing, encryption"

  Scenario: Setting the PIN leaves the applet alone unless the token type says otherwise
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When the operator sets
      | op.pinReset.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
    And "alice" sets the PIN to "8642"
    Then the operation succeeds
    And the applet on the card answers with version "1.4.58768072"
    And the token holds certificates for "signing, encryption"

  Scenario: Setting the PIN with another applet ends with a formatted token
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    And the policy of the token says "PIN_RESET=YES"
    When the operator sets
      | op.pinReset.userKey.update.applet.enable                 | true         |
      | op.pinReset.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
    And "alice" sets the PIN to "8642"
    Then the operation succeeds
    And the applet on the card answers with version "1.5.65cbf5a6"
    And the card accepts the PIN "8642"
    And the token is FORMATTED and belongs to nobody
    And all that the token held before is revoked with reason 4
    And no intent is left open for the token

  Scenario: An applet file that is missing is found out before the card loses its applet
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | 1.4.00000000 |
    And "alice" enrolls the card
    Then the operation fails with code 19
    And nothing on the card has changed
    And the token is ACTIVE and belongs to "alice"
    And all that the token held before is still valid

  Scenario Outline: A card pulled while it gets another applet is put right by enrolling it again
    Given an ACTIVE token of stock "gp211-scp02" that belongs to "alice"
    When the operator sets
      | op.enroll.userKey.update.applet.requiredVersion.prot.2 | 1.5.65cbf5a6 |
    And "alice" enrolls the card and pulls it after <n> commands
    Then the operation fails
    When the card is put back
    And "alice" enrolls the card
    Then the operation succeeds
    And the applet on the card answers with version "1.5.65cbf5a6"
    And the token holds certificates for "signing, encryption"
    And all that the token held at first is revoked
    And no intent is left open for the token

    Examples:
      | n  |
      | 14 |
      | 40 |
      | 90 |
