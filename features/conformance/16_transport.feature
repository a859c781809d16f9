Feature: Classes, instructions and lengths

  @gpcs-11.1.3 @must @negative
  Scenario: GEN-01 Class FF is none
    When the host sends "FFCA006600"
    Then the card refuses it with 6E00
    And the issuer security domain is still selected
    And nothing has changed

  @gpcs-11.1.3 @beyond @negative @irreversible
  Scenario: GEN-02 Instructions that are none are refused
    When the host sends every instruction of class 80 that changes nothing
    Then the card does none of them
    And the issuer security domain is still selected
    And nothing has changed

  @gpcs-11.1.3 @conditional @negative
  Scenario: GEN-03 A logical channel that is closed takes no command
    When the host sends "81CA9F7F00"
    Then the card refuses it with 6881, tolerated 6E00
    When the host sends "82CA9F7F00"
    Then the card refuses it with 6881, tolerated 6E00
    When the host sends "83CA9F7F00"
    Then the card refuses it with 6881, tolerated 6E00
    And the issuer security domain is still selected

  @gpcs-11.7 @conditional
  Scenario: GEN-04 A logical channel is opened and closed
    Applies: channels > 0
    When the host sends "0070000001"
    Then the card answers 9000
    And the answer has 1 bytes
    And the answer is noted as "number"
    When the host sends "007080 {number}"
    Then the card answers 9000
    When the host sends "007080 {number}"
    Then the card answers 6200, tolerated any error

  @gpcs-11.7.1 @conditional @negative
  Scenario: GEN-05 The basic channel is not closed
    When the host sends "00708000"
    Then the card refuses it
    And the issuer security domain is still selected

  @iso7816-5.1 @beyond @negative
  Scenario: GEN-06 A command shorter than it says leaves the card alive
    Applies: virtual
    Readers may refuse to send it: the case is for cards that take bytes as they are.
    When the host sends "80500000 08 0102"
    Then the card refuses it with 6700
    And the issuer security domain is still selected
    And nothing has changed

  @iso7816-5.1 @beyond @negative
  Scenario: GEN-07 Commands of GlobalPlatform have no extended length
    Applies: cplc
    When the host sends "80CA9F7F 000000"
    Then the card refuses it with 6700, tolerated 9000
    And the issuer security domain is still selected

  @iso7816-5.1 @beyond @irreversible
  Scenario: GEN-09 Every instruction answers every form of a command with a status word that says something
    Applies: keys
    Given a secure channel at level "01"
    When the host sends every form of every instruction in the channel
    Then the card answers none of them by 6F00
    And the channel still works

  @quality-robustness @beyond @negative @quality @irreversible
  Scenario: GEN-11 Commands that are changed at random leave the card alive
    When the host sends 10000 commands that are changed at random
    Then the card answered SELECT behind every hundred of them
    And the issuer security domain is still selected

  @quality-time @beyond @content
  Scenario: GEN-12 A command that takes long is answered in the end
    Applies: keys and coolkey
    Making a key pair takes some cards more than a minute.
    Given the applet is on the card, with room
    And a channel to the applet at level "01"
    When the host has keys made with P1 "02", P2 "03" and 2048 bits
    Then the card answers 9000

  @gpcs-11.1.5 @beyond @negative @irreversible
  Scenario: GEN-10 Lengths of data objects in strange forms break nothing
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E40000 [4F 81 07 {random 7}] 00" in the channel
    Then the card refuses it
    When the host sends "80E40000 [4F 82 0005 {random 5}] 00" in the channel
    Then the card refuses it
    When the host sends "80E40000 [4F 84 FFFFFFFF {random 5}] 00" in the channel
    Then the card refuses it
    When the host sends "80E40000 [4F 80 {random 5} 0000] 00" in the channel
    Then the card refuses it
    When the host sends "80E29000 [42 84 7FFFFFFF 00]" in the channel
    Then the card refuses it
    When the host sends "80F28002 [4F 81 00] 00" in the channel
    Then the card answers 9000 or 6A80 or 6A88 or 6700
    And the channel still works
    And nothing has changed
