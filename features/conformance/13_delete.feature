Feature: DELETE

  @gpcs-9.5.1 @must @content
  Scenario: DEL-01 An application that is deleted is gone
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E40000 [4F [{instance 1}]] 00" in the channel
    Then the card answers 9000
    And the answer is "00"
    And the registry does not list "{instance 1}"
    And the registry lists "{package}" in state "01"

  @gpcs-9.5.2 @must @negative @content
  Scenario: DEL-02 A load file that is in use is not deleted
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E40000 [4F [{package}]] 00" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    And the registry lists "{package}" in state "01"
    And the registry lists "{instance 1}" in state "07"

  @gpcs-9.5.3 @conditional @content
  Scenario: DEL-03 A load file is deleted with its applications
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And instance "2" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E40080 [4F [{package}]] 00" in the channel
    Then the card answers 9000
    And the registry does not list "{package}"
    And the registry does not list "{instance 1}"
    And the registry does not list "{instance 2}"

  @gpcs-11.2.3.2 @must @negative
  Scenario: DEL-04 What is not there is not deleted
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E40000 [4F [{unknown}]] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6A82
    When the host sends "80E40080 [4F [{unknown}]] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6A82
    And the channel still works
    And nothing has changed

  @gpcs-9.5.1 @policy @negative @irreversible
  Scenario: DEL-05 The issuer security domain is not deleted
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E40000 [4F [{isd}]] 00" in the channel
    Then the card refuses it with 6985, tolerated 6A88
    And the channel still works

  @gpcs-11.2.2.3.2 @conditional @keys
  Scenario: DEL-09 A key version that is deleted is gone
    Applies: keys and replaceable
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When the host sends "80E40000 [D20171] 00" in the channel
    Then the card answers 9000
    And the answer is "00"
    And key version "71" is gone
    And the card's own keys open a channel

  @gpcs-11.2.2.3.2 @conditional @keys
  Scenario: DEL-10 One key of a version is deleted
    Applies: keys and keyinfo and replaceable
    Given a secure channel at level "01"
    When the host puts test keys
    Then the card answers 9000
    When the host sends "80E40000 [D00102 D20171] 00" in the channel
    Then the card answers 9000
    When the host sends "80CA00E000" in the channel
    Then the key information lists version "71" with 2 keys

  @gpcs-11.2.3.2 @must @negative
  Scenario: DEL-11 A key version that is not there is not deleted
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E40000 [D2016E] 00" in the channel
    Then the card refuses it with 6A88
    And the channel still works
    And nothing has changed

  @gpcs-7.6 @beyond @negative @irreversible
  Scenario: DEL-12 The last key set stays
    Applies: keys
    The specification leaves it to the issuer; without its keys the card would be lost to token management.
    Given a secure channel at level "01"
    When the host sends "80E40000 [D201 {kvn}] 00" in the channel
    Then the card refuses it
    And the card's own keys open a channel

  @gpcs-11.2.2.3.1 @policy @content
  Scenario: DEL-13 A token where none is called for
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E40000 [4F [{instance 1}] 9E [{zero 16}]] 00" in the channel
    Then the card answers 9000, tolerated any error

  @gpcs-11.2.3.2 @must @negative
  Scenario: DEL-14 DELETE names something
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E40000 [4F00] 00" in the channel
    Then the card refuses it
    When the host sends "80E40000 [4F20F0] 00" in the channel
    Then the card refuses it
    And the channel still works
    And nothing has changed

  @gpcs-9.5.1 @must @content
  Scenario: DEL-15 Deletion gives the memory back
    Applies: keys and load and resources
    Given the free memory is noted
    And instance "1" of the applet is on the card
    Then the free memory is less
    Given a secure channel at level "01"
    When the host sends "80E40080 [4F [{package}]] 00" in the channel
    Then the card answers 9000
    And the free memory is as it was
