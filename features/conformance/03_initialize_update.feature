Feature: INITIALIZE UPDATE

  @gp211-D.4.1.6 @must
  Scenario: INU-01 The answer of SCP01 and SCP02 has 28 bytes
    Applies: scp < 3
    When the host sends "80500000 [{random 8}] 00"
    Then the card answers 9000
    And the answer has 28 bytes

  @scp03-7.1.1.6 @must
  Scenario: INU-02 The answer of SCP03 with random challenges has 29 bytes
    Applies: scp == 3 and not pseudorandom
    When the host sends "80500000 [{random 8}] 00"
    Then the card answers 9000
    And the answer has 29 bytes

  @scp03-7.1.1.6 @conditional
  Scenario: INU-03 The answer of SCP03 with pseudo-random challenges has 32 bytes
    Applies: scp == 3 and pseudorandom
    When the host sends "80500000 [{random 8}] 00"
    Then the card answers 9000
    And the answer has 32 bytes

  @gpcs-E.5.1.3 @must
  Scenario: INU-04 The answer names the key version that was asked for
    When the host sends "8050 {kvn} 00 [{random 8}] 00"
    Then the card answers 9000
    And bytes 11 to 11 of the answer are noted as "version"
    And "version" is the same as "kvn"

  @gpcs-E.5.1.3 @must
  Scenario: INU-05 Version 00 asks for the first key set
    When the host sends "80500000 [{random 8}] 00"
    Then the card answers 9000
    And bytes 11 to 11 of the answer are noted as "version"
    And "version" is the same as "kvn"

  @gpcs-E.5.1.5 @must @negative
  Scenario: INU-06 A key version that is not there is refused
    When the host sends "8050 {absent} 00 [{random 8}] 00"
    Then the card refuses it with 6A88
    And nothing has changed

  @gpcs-E.5.1.4 @policy @negative
  Scenario: INU-07 P2 other than 00 is refused
    Applies: scp >= 2
    Most cards ignore P2 here.
    When the host sends "80500001 [{random 8}] 00"
    Then the card refuses it with 6A86, tolerated 9000
    And nothing has changed

  @gp211-D.4.1.4 @conditional @negative
  Scenario: INU-08 SCP01 refuses a key index that it does not have
    Applies: scp == 1
    When the host sends "80500001 [{random 8}] 00"
    Then the card answers 9000
    When the host sends "8050007F [{random 8}] 00"
    Then the card refuses it with 6A88
    And nothing has changed

  @gpcs-11.1.3 @must @negative
  Scenario: INU-09 A host challenge of 7 or 9 bytes is refused
    When the host sends "80500000 [{random 7}] 00"
    Then the card refuses it with 6700
    When the host sends "80500000 [{random 9}] 00"
    Then the card refuses it with 6700
    And nothing has changed

  @gpcs-E.4.2.3 @must
  Scenario: INU-10 Two random card challenges differ
    Applies: not pseudorandom
    When the host asks for a handshake
    And the card challenge is noted as "first"
    And the host asks for a handshake
    And the card challenge is noted as "second"
    Then "first" differs from "second"

  @quality-challenge @beyond @quality
  Scenario: INU-11 A thousand random card challenges look random
    Applies: not pseudorandom
    When the host asks for 1000 handshakes
    Then the card challenges are all different
    And the bits of the card challenges are balanced

  @gpcs-E.4.2.3 @must
  Scenario: INU-12 Pseudo-random challenges of SCP02 repeat until a channel is opened
    Applies: scp == 2 and pseudorandom
    When the host asks for a handshake
    And the card challenge is noted as "first"
    And the host asks for a handshake
    And the card challenge is noted as "second"
    Then "first" is the same as "second"

  @gpcs-E.4.2.1 @must
  Scenario: INU-13 The card's cryptogram proves its keys
    Applies: keys
    When the host asks for a handshake
    Then the card's cryptogram is right

  @gpcs-E.5.1.1 @must
  Scenario: INU-14 INITIALIZE UPDATE ends the channel before it
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80500000 [{random 8}] 00"
    Then the card answers 9000
    When the host sends "80F28002 02 4F00 00" in the channel
    Then the card refuses it with 6982, tolerated 6985 or 6E00

  @gpcs-E.1.6 @must
  Scenario: INU-15 INITIALIZE UPDATE leads out of an aborted channel
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00"
    Then the card refuses it with 6982, tolerated 6985 or 6988
    When the host asks for a handshake
    Then the card's cryptogram is right

  @scp03-7.1.1 @conditional @negative @keys
  Scenario: INU-16 A key set without its data encryption key begins no session
    Applies: scp == 3 and keys and replaceable
    Given a secure channel at level "01"
    When the host adds test key 1 alone
    Then the card answers 9000
    When the host adds test key 2 alone
    Then the card answers 9000
    When the host sends "00A40400 [{isd}] 00"
    And the host sends "80507100 [{random 8}] 00"
    Then the card refuses it with 6A88
    And the card's own keys open a channel

  @gpcs-E.5.1.2 @policy @negative
  Scenario: INU-17 INITIALIZE UPDATE takes no secure messaging
    When the host sends "84500000 [{random 8}] 00"
    Then the card refuses it with 6E00, tolerated 6982 or 6985
    And nothing has changed
