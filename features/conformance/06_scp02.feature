Feature: Secure channel protocol 02

  @gpcs-E.1.1 @must
  Scenario: SC2-01 The protocol behaves as its i parameter says
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    Then the channel still works

  @gpcs-E.1.2 @must @keys
  Scenario: SC2-02 A fresh key set starts with the sequence counter 0000
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When the host asks for a handshake with key version "71"
    Then the sequence counter is "0000"

  @gpcs-E.1.2 @must
  Scenario: SC2-03 A channel that was opened counts
    Applies: scp == 2 and keys
    When the host asks for a handshake
    And the sequence counter is noted as "before"
    And the host authenticates at level "01"
    And the host asks for a handshake
    Then the sequence counter is one more than "before"

  @gpcs-E.1.2 @must @negative @tries
  Scenario: SC2-04 A failed authentication does not count
    Applies: scp == 2 and keys
    When the host asks for a handshake
    And the sequence counter is noted as "before"
    And the host authenticates at level "01" with a wrong MAC
    Then the card refuses it
    When the host asks for a handshake
    Then the handshake has the sequence counter "before"
    And nothing has changed

  @gpcs-E.1.2 @must
  Scenario: SC2-05 Handshakes without authentication do not count
    Applies: scp == 2
    When the host asks for a handshake
    And the sequence counter is noted as "before"
    And the host asks for 5 handshakes
    Then the handshake has the sequence counter "before"

  @gpcs-E.4.1 @must
  Scenario: SC2-06 Session keys come from the sequence counter
    Applies: scp == 2 and keys
    When the host asks for a handshake
    Then the card's cryptogram is right
    When the host authenticates at level "03"
    Then the card answers 9000
    When the host asks for the status of the issuer security domain in the channel
    Then the card answers 9000

  @gpcs-E.4.4 @must @negative
  Scenario: SC2-07 The MAC is single DES with a last triple DES, not full triple DES
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel as SCP01 with i "15" would
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @gpcs-E.3.4 @must @negative
  Scenario: SC2-08 With ICV encryption a plain chaining value is refused
    Applies: scp == 2 and keys and (i == 21 or i == 85)
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel as SCP02 with i "05" would
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @gpcs-E.4.4 @must
  Scenario: SC2-09 The chain goes on behind a command that fails
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host sends "80CA123400" in the channel
    Then the card answers 6A88
    And the channel still works

  @gpcs-E.4.6 @must
  Scenario: SC2-11 At level 03 the MAC covers the plain data
    Applies: scp == 2 and keys
    Given a secure channel at level "03"
    When the host asks for the status of the issuer security domain in the channel
    Then the card answers 9000
    And the channel still works

  @gpcs-E.4.6 @policy
  Scenario: SC2-12 At level 03 a command without data passes
    Applies: scp == 2 and keys
    Given a secure channel at level "03"
    When the host sends "80CA9F7F00" in the channel
    Then the card answers 9000 or 6A88
    And the channel still works

  @gpcs-E.4.6 @beyond @negative
  Scenario: SC2-13 Wrong padding and a wrong MAC are refused by the same status word
    Applies: scp == 2 and keys
    An attacker who can tell them apart reads encrypted commands. How long each takes is in the report.
    Given a secure channel at level "03"
    When the host sends "80F28002 02 4F00 00" in the channel with a wrong MAC
    And the status word is noted as "wrong MAC"
    Given a secure channel at level "03"
    When the host sends "80F28002 02 4F00 00" in the channel with its encryption spoiled
    And the status word is noted as "wrong padding"
    Then "wrong padding" is the same as "wrong MAC"
    And the channel is aborted
    And nothing has changed

  @gpcs-E.1.6 @must @negative
  Scenario: SC2-14 A plain command in a channel is refused, and aborts it
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00"
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted
    And nothing has changed

  @gpcs-E.1.6 @must @negative
  Scenario: SC2-15 A command with a wrong MAC is refused, and aborts the channel
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a wrong MAC
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted
    And nothing has changed

  @gpcs-E.1.3 @must @negative
  Scenario: SC2-16 A command is not accepted twice
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host asks for the status of the issuer security domain in the channel
    Then the card answers 9000
    When the host sends the last command again
    Then the card refuses it with 6982, tolerated 6988
    And the channel is aborted

  @gpcs-E.1.3 @must @negative
  Scenario: SC2-17 Commands are not accepted in another order
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host prepares "80F28002 02 4F00 00" in the channel as "first"
    And the host prepares "80CA9F7F00" in the channel as "second"
    And the host sends the prepared "second"
    Then the card refuses it with 6982, tolerated 6988
    When the host sends the prepared "first"
    Then the card refuses it with 6982, tolerated 6988 or 6985
    And nothing has changed

  @gpcs-E.4.4 @policy @negative
  Scenario: SC2-18 A MAC that is cut short is refused
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel with a MAC that is cut short
    Then the card refuses it with 6700, tolerated 6982 or 6988
    And nothing has changed

  @gpcs-E.1.5 @must
  Scenario: SC2-19 At level 00 commands need no protection
    Applies: scp == 2 and keys
    When the host asks for a handshake
    And the host authenticates at level "00"
    Then the card answers 9000
    When the host asks for the status of the issuer security domain
    Then the card answers 9000

  @gpcs-E.5.2.3 @conditional @negative @tries
  Scenario: SC2-20 R-MAC levels are refused where the protocol has none
    Applies: scp == 2 and not rmac and keys
    When the host asks for a handshake
    And the host authenticates at level "11"
    Then the card refuses it with 6A86, tolerated 6985 or 6982
    And commands need a channel
    And nothing has changed

  @gpcs-E.4.5 @conditional
  Scenario: SC2-21 At R-MAC levels answers carry their MAC
    Applies: scp == 2 and rmac and keys
    Given a secure channel at level "11"
    When the host sends "80CA9F7F00" in the channel
    Then the card answers 9000 or 6A88
    And the answer on the wire has 8 bytes more than its data
    And the protection of the answer is right

  @gpcs-E.5.4 @conditional
  Scenario: SC2-22 An R-MAC session begins and ends inside a channel
    Applies: scp == 2 and rmac and keys
    Given a secure channel at level "01"
    When the host begins an R-MAC session at "10"
    Then the card answers 9000
    When the host sends "80CA9F7F00" in the channel
    Then the protection of the answer is right
    When the host ends the R-MAC session
    Then the card answers 9000
    And the channel still works

  @gpcs-E.5.4 @conditional @negative
  Scenario: SC2-23 END R-MAC SESSION needs an R-MAC session
    Applies: scp == 2 and rmac and keys
    Given a secure channel at level "01"
    When the host sends "80780003 00" in the channel
    Then the card refuses it with 6985, tolerated 6A88 or 6D00
    And nothing has changed

  @gpcs-E.4.2.3 @conditional
  Scenario: SC2-24 A pseudo-random challenge follows from the AID
    Applies: scp == 2 and pseudorandom and keys
    When the host asks for a handshake
    Then the card challenge follows from the AID

  @gpcs-11.1.5 @must @negative @irreversible
  Scenario: SC2-25 A protected command holds 247 bytes of data
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host sends "80E29000 [{zero 247}]" in the channel
    Then the card refuses it
    And the channel still works
    And nothing has changed

  @gpcs-11.1.5 @must @negative @irreversible
  Scenario: SC2-26 An encrypted command holds 239 bytes of data
    Applies: scp == 2 and keys
    Given a secure channel at level "03"
    When the host sends "80E29000 [{zero 239}]" in the channel
    Then the card refuses it
    And the channel still works
    And nothing has changed

  @gpcs-E.1.2 @must @irreversible
  Scenario: SC2-27 The sequence counter does not start again behind its end
    Applies: scp == 2 and keys and virtual
    Given another card whose sequence counter is "FFFE"
    When the host asks for a handshake
    And the host authenticates at level "01"
    Then the card answers 9000
    When the host sends "80500000 [{random 8}] 00"
    Then the card refuses it with 6985, tolerated any error

  @gpcs-E.1.2 @must @keys
  Scenario: SC2-28 Replacing keys starts their sequence counter anew
    Applies: scp == 2 and keys
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When a channel is opened with key version "71"
    And the host replaces the test keys by others
    Then the card answers 9000
    When the host asks for a handshake with key version "72"
    Then the sequence counter is "0000"
