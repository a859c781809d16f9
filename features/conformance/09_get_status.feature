Feature: GET STATUS

  @gpcs-11.4.3.1 @must
  Scenario: GST-01 The status of the issuer security domain has AID, state and privileges
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel
    Then the card answers 9000
    And the answer holds "E3/4F" equal to "{isd}"
    And the answer holds "E3/9F70"
    And the answer holds "E3/C5"

  @gpcs-11.1.1 @must
  Scenario: GST-02 The card is in one of its life cycle states
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel
    Then "E3/9F70" of the answer is one of "01 07 0F 7F FF"

  @gpcs-6.6.2 @must
  Scenario: GST-03 The issuer security domain has the privileges of one
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F28002 02 4F00 00" in the channel
    Then "E3/C5" of the answer is one of "9E 9EFE80 9E5680 9EDE80 9EFC80 80 8C 9C 9A"

  @gpcs-11.4.2.1 @must @content
  Scenario: GST-04 Each application has one entry
    Applies: keys and tagged and load
    Given instance "1" of the applet is on the card
    And instance "2" of the applet is on the card
    And a secure channel at level "01"
    When the host asks for the status of applications that start with "F063617264" in the channel
    Then the card answers 9000
    And the status has 2 entries

  @gpcs-11.1.1 @must @content
  Scenario: GST-05 A load file is listed as loaded
    Applies: keys and tagged and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80F22002 [4F [{package}]] 00" in the channel
    Then the card answers 9000
    And the answer holds "E3/4F" equal to "{package}"
    And "E3/9F70" of the answer is one of "01"

  @gpcs-11.4.2.1 @must @content
  Scenario: GST-06 A load file is listed with its modules
    Applies: keys and tagged and load and (modules or version >= 220)
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80F21002 [4F [{package}]] 00" in the channel
    Then the card answers 9000
    And the answer holds "E3/4F" equal to "{package}"
    And the answer holds "E3/84" equal to "{module}"

  @gpcs-11.4.3.3 @must @negative
  Scenario: GST-07 What matches nothing is not found
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F24002 [4F [{unknown}]] 00" in the channel
    Then the card refuses it with 6A88
    And the channel still works

  @gpcs-11.4.2.3 @must @content
  Scenario: GST-08 A part of an AID lists everything that starts with it
    Applies: keys and tagged and load
    Given instance "1" of the applet is on the card
    And the applet is on the card
    And a secure channel at level "01"
    When the host asks for the status of applications that start with "F063617264" in the channel
    Then the card answers 9000
    And every entry of the status starts with "F063617264"
    And the status has 1 entries

  @gpcs-11.4.2.2 @must @content
  Scenario: GST-09 A long status comes in pages, each entry once
    Applies: keys and load
    Given many applications on the card
    And a secure channel at level "01"
    When the host asks for the status of all applications in the channel
    Then the card answers 6310
    When the host asks for the rest of the status
    Then the card answers 9000
    And the status lists each of the applications once

  @gpcs-11.4.2.2 @must @negative
  Scenario: GST-10 The next page needs a first one
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F24003 02 4F00 00" in the channel
    Then the card refuses it with 6985, tolerated 6A86 or 6A88
    And the channel still works

  @gpcs-11.4.2.2 @must @negative
  Scenario: GST-11 There is no next issuer security domain
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F28003 02 4F00 00" in the channel
    Then the card refuses it
    And the channel still works

  @gpcs-11.4.2.1 @policy @negative
  Scenario: GST-12 P1 00 is refused
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F20002 02 4F00 00" in the channel
    Then the card refuses it with 6A86
    And the channel still works

  @gpcs-11.4.2.3 @policy @negative
  Scenario: GST-13 The search criterion is mandatory
    Applies: keys and tagged
    Given a secure channel at level "01"
    When the host sends "80F2800200" in the channel
    Then the card refuses it with 6A80, tolerated 6700
    And the channel still works

  @gp211-9.4.2.2 @conditional
  Scenario: GST-14 The older form of the status starts with length and AID
    Applies: keys and untagged
    Given a secure channel at level "01"
    When the host sends "80F28000 02 4F00 00" in the channel
    Then the card answers 9000
    And the answer starts with "[{isd}]"

  @gpcs-11.4.3.1 @conditional
  Scenario: GST-15 A tag list picks what is answered
    Applies: keys and taglist
    Given a secure channel at level "01"
    When the host sends "80F28002 [4F00 5C03 4F9F70] 00" in the channel
    Then the card answers 9000
    And the answer holds "E3/4F"
    And the answer holds "E3/9F70"
    And the answer does not hold "E3/C5"

  @gpcs-11.4 @must @negative
  Scenario: GST-16 The status needs a channel
    When the host sends "80F28002 02 4F00 00"
    Then the card refuses it with 6982
    And nothing has changed

  @gpcs-11.4.2.2 @must @negative @content
  Scenario: GST-17 Another search ends the pages of the one before
    Applies: keys and load and tagged
    Given many applications on the card
    And a secure channel at level "01"
    When the host asks for the status of all applications in the channel
    Then the card answers 6310
    When the host sends "80F28002 02 4F00 00" in the channel
    Then the card answers 9000
    When the host sends "80F24003 02 4F00 00" in the channel
    Then the card refuses it with 6985, tolerated 6A86 or 6A88
    And the channel still works
