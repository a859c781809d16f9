Feature: GET DATA

  @gpcs-H.2 @must
  Scenario: GDA-01 Card recognition data name GlobalPlatform and the protocol
    Applies: version >= 211
    When the host sends "80CA006600"
    Then the card answers 9000
    And the answer holds "66/73/06" equal to "2A864886FC6B01"
    And the answer holds "66/73/60"
    And the answer holds "66/73/63"
    And the answer holds "66/73/64"

  @gpcs-H.2 @must
  Scenario: GDA-02 Card recognition data and the handshake agree on the protocol
    Applies: recognition and keys
    When the host asks for a handshake
    Then the handshake speaks the protocol of the recognition data

  @gpcs-11.3.3.1 @must
  Scenario: GDA-03 The interindustry class gets the value alone
    Applies: recognition
    When the host sends "80CA006600"
    And "66" of the answer is noted as "value"
    And the host sends "00CA006600"
    Then the card answers 9000
    And the answer is "{value}"

  @gpcs-11.3.3.1.1 @must
  Scenario: GDA-04 The key information template lists the keys
    Applies: version >= 211
    When the host sends "80CA00E000"
    Then the card answers 9000
    And the answer holds "E0/C0"
    And the key information lists version "{kvn}" with 3 keys

  @gpcs-11.1.8 @must
  Scenario: GDA-05 Types and lengths of keys are those of the protocol, each key once
    Applies: keyinfo
    When the host sends "80CA00E000"
    Then the key information gives types and lengths of the protocol
    And the key information names each key once

  @gpcs-11.3.3.1.1 @conditional
  Scenario: GDA-06 Key information is basic or extended throughout
    Applies: extended
    When the host sends "80CA00E000"
    Then the key information has one form

  @gpcs-11.3.2.1 @must
  Scenario: GDA-07 Issuer and card image numbers can be asked for
    Applies: version >= 211
    When the host sends "80CA004200"
    Then the card answers 9000 or 6A88
    When the host sends "80CA004500"
    Then the card answers 9000 or 6A88

  @gpcs-11.3.2.1 @must
  Scenario: GDA-08 The sequence counter is the one of the next handshake
    Applies: scp == 2
    When the host sends "80CA00C100"
    Then the card answers 9000
    And the answer has 4 bytes
    And "C1" of the answer is noted as "counter"
    When the host asks for a handshake
    Then the handshake has the sequence counter "counter"

  @gpcs-11.3.2.1 @must @negative
  Scenario: GDA-09 A card of SCP01 alone has no sequence counter
    Applies: scp == 1
    When the host sends "80CA00C100"
    Then the card refuses it with 6A88
    And nothing has changed

  @gpcs-11.3.2.1 @conditional
  Scenario: GDA-10 The sequence counter of SCP03 has three bytes
    Applies: scp == 3 and pseudorandom
    When the host sends "80CA00C100"
    Then the card answers 9000
    And the answer has 5 bytes

  @gpcs-11.3.2.1 @conditional
  Scenario: GDA-11 The confirmation counter can be asked for
    Applies: receipts
    When the host sends "80CA00C200"
    Then the card answers 9000

  @gpcs-H.4 @conditional
  Scenario: GDA-12 Card capability information lists protocols, and does not hold itself
    Applies: capabilities
    When the host sends "80CA006700"
    Then the card answers 9000
    And the answer holds "67/A0"
    And the answer does not hold "67/67"

  @op201-6.12.1 @beyond
  Scenario: GDA-13 Production life cycle data have 42 bytes
    Applies: cplc
    When the host sends "80CA9F7F00"
    Then the card answers 9000
    And the answer has 45 bytes
    And the answer starts with "9F7F2A"

  @tms-cplc @beyond
  Scenario: GDA-14 Production life cycle data can be asked for by their length
    Applies: cplc
    When the host sends "80CA9F7F2D"
    Then the card answers 9000
    And the answer has 45 bytes

  @iso7816-5.6 @beyond
  Scenario: GDA-15 With T=0 a wrong length is corrected
    Applies: cplc and t == 0
    When the host sends "80CA9F7F10"
    Then the card answers 9000
    And the answer has 45 or 16 bytes

  @tms-kdd @beyond
  Scenario: GDA-16 Key diversification data have 10 bytes
    Applies: kdd
    When the host sends "80CA00CF00"
    Then the card answers 9000
    And the answer has 12 bytes
    And the answer starts with "CF0A"

  @gpcs-E.5.1.6 @conditional
  Scenario: GDA-17 The handshake gives the same key diversification data, after a reset too
    Applies: kdd
    When the host sends "80CA00CF00"
    And "CF" of the answer is noted as "kdd"
    And the host sends "80500000 [{random 8}] 00"
    And bytes 1 to 10 of the answer are noted as "handshake"
    Then "handshake" is the same as "kdd"
    When the card is reset
    And the host sends "80CA00CF00"
    And "CF" of the answer is noted as "again"
    Then "again" is the same as "kdd"

  @gpcs-11.3.3.2 @must @negative
  Scenario: GDA-18 A data object that is not there is refused
    When the host sends "80CA123400"
    Then the card refuses it with 6A88
    And nothing has changed

  @gpcs-11.3 @must
  Scenario: GDA-19 Nothing of this needs authentication
    Applies: version >= 211
    Given the card was reset
    When the host sends "80CA006600"
    Then the card answers 9000
    When the host sends "80CA00E000"
    Then the card answers 9000
    When the host sends "80CA9F7F00"
    Then the card answers 9000 or 6A88

  @gpcs-E.1.6 @must @negative
  Scenario: GDA-20 A command without its MAC is refused in a channel, and aborts it
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80CA9F7F00"
    Then the card refuses it with 6982, tolerated 6985 or 6988
    When the host sends "80F28002 02 4F00 00" in the channel
    Then the card refuses it with 6982, tolerated 6985 or 6988
    And nothing has changed

  @gpcs-11.3.2 @must
  Scenario: GDA-21 GET DATA works inside a channel
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80CA9F7F00" in the channel
    Then the card answers 9000 or 6A88
    And the protection of the answer is right

  @gpcs-11.3.2.2 @conditional
  Scenario: GDA-22 The list of applications can be asked for
    Applies: version >= 230
    When the host sends "00CB2F0002 5C00 00"
    Then the card answers 9000 or 6A88, tolerated 6D00 or 6A86
