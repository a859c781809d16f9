Feature: INSTALL

  @gpcs-11.5.2.3.2 @must @content
  Scenario: INS-09 An application is installed and made selectable
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [00] [C900] 00] 00" in the channel
    Then the card answers 9000
    And the answer is "00"
    And the registry lists "{instance 1}" in state "07"

  @gpcs-5.3.1 @must @content
  Scenario: INS-10 An application is installed, then made selectable
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60400 [[{package}] [{module}] [{instance 1}] [00] [C900] 00] 00" in the channel
    Then the card answers 9000
    And the registry lists "{instance 1}" in state "03"
    Given a secure channel at level "01"
    When the host sends "80E60800 [00 00 [{instance 1}] [00] 00 00] 00" in the channel
    Then the card answers 9000
    And the registry lists "{instance 1}" in state "07"

  @gpcs-9.3.6 @must @negative @content
  Scenario: INS-11 A module that is not there is not installed
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{unknown}] [{instance 1}] [00] [C900] 00] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6A80 or 6985
    When the host sends "80E60C00 [[{unknown}] [{module}] [{instance 1}] [00] [C900] 00] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6A80 or 6985
    And the registry does not list "{instance 1}"

  @gpcs-9.3.6 @must @negative @content
  Scenario: INS-12 An AID that is in use is not given again
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [00] [C900] 00] 00" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    When the host sends "80E60C00 [[{package}] [{module}] [{package}] [00] [C900] 00] 00" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    When the host sends "80E60C00 [[{package}] [{module}] [{isd}] [00] [C900] 00] 00" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    And the registry lists "{instance 1}" in state "07"
    And the registry lists "{package}" in state "01"

  @gpcs-11.5.2.3.2 @must @negative @content
  Scenario: INS-13 Install parameters hold C9, if only an empty one
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [00] 00 00] 00" in the channel
    Then the card refuses it with 6A80
    And the registry does not list "{instance 1}"
    Given a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [00] [C900] 00] 00" in the channel
    Then the card answers 9000

  @gpcs-11.1.2 @must @content
  Scenario: INS-14 Privileges come in one byte or in three
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [00] [C900] 00] 00" in the channel
    Then the card answers 9000
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 2}] [000000] [C900] 00] 00" in the channel
    Then the card answers 9000
    And the registry lists "{instance 2}" in state "07"

  @gpcs-6.6.2 @must @negative @content
  Scenario: INS-15 Authorized and delegated management exclude each other
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [A04000] [C900] 00] 00" in the channel
    Then the card refuses it
    And the registry does not list "{instance 1}"

  @gpcs-6.6.2 @must @negative @content
  Scenario: INS-24 An application gets no privilege of a security domain
    Applies: keys and load and not domains
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [80] [C900] 00] 00" in the channel
    Then the card refuses it
    And the registry does not list "{instance 1}"

  @gpcs-6.6.2 @must @negative @content
  Scenario: INS-25 One application at most is selected by default
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [04] [C900] 00] 00" in the channel
    Then the card answers 9000
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 2}] [04] [C900] 00] 00" in the channel
    Then the card refuses it
    And the registry lists "{instance 1}" in state "07"
    And the registry does not list "{instance 2}"

  @gpcs-9.3.6 @must @negative @content
  Scenario: INS-26 An application larger than the memory is not installed
    Applies: keys and load
    Given the load file is on the card
    And the free memory is noted
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [00] [EF [C8 [00FFFFF0]] C900] 00] 00" in the channel
    Then the card refuses it with 6A84, tolerated 6581 or 6A80
    And the registry does not list "{instance 1}"
    And the free memory is as it was

  @gpcs-9.4.1 @conditional @content
  Scenario: INS-17 An application goes to another security domain
    Applies: keys and load and domains
    Given instance "1" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E61000 [[{isd}] 00 [{instance 1}] 00 00 00] 00" in the channel
    Then the card answers 9000

  @gpcs-9.4.1 @must @negative @content
  Scenario: INS-18 An application does not go to what is no security domain
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And instance "2" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E61000 [[{instance 2}] 00 [{instance 1}] 00 00 00] 00" in the channel
    Then the card refuses it
    And the registry lists "{instance 1}" in state "07"

  @gpcs-7.3.2 @conditional @negative
  Scenario: INS-19 An unknown application is not personalized
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E62000 [00 00 [{unknown}] 00 00 00] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6985 or 6A80
    And the channel still works
    And nothing has changed

  @gpcs-11.5.2.3.5 @conditional @negative
  Scenario: INS-20 The registry is not updated for an unknown application
    Applies: keys
    Given a secure channel at level "01"
    When the host sends "80E64000 [00 00 [{unknown}] [00] 00 00] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6985 or 6A80
    And the channel still works
    And nothing has changed

  @gpcs-9.3.5 @conditional @negative @content
  Scenario: INS-21 Delegated management needs a token
    Applies: keys and load and delegated
    Given the AIDs of the load file are known
    And a secure channel at level "01"
    When the host sends "80E60200 [[{package}] 00 00 00 00] 00" in the channel
    Then the card refuses it
    And the registry does not list "{package}"

  @gpcs-11.1.5.1 @policy @negative
  Scenario: INS-23 A chain of INSTALL commands that changes its mind is refused
    Applies: keys
    Cards that know no chains refuse the first part.
    Given a secure channel at level "01"
    When the host sends "80E68200 [[{unknown}] 00] 00" in the channel
    Then the card answers 9000, tolerated 6A86
    When the host sends "80E60201 [00 00 00] 00" in the channel
    Then the card refuses it
    And the channel still works
    And nothing has changed

  @gpcs-5.3.1.1 @must @negative @content
  Scenario: INS-27 An application is made selectable once
    Applies: keys and load
    Given instance "1" of the applet is on the card
    And a secure channel at level "01"
    When the host sends "80E60800 [00 00 [{instance 1}] [00] 00 00] 00" in the channel
    Then the card refuses it with 6985, tolerated 6A80
    When the host sends "80E60800 [00 00 [{unknown}] [00] 00 00] 00" in the channel
    Then the card refuses it with 6A88, tolerated 6985 or 6A80
    And the registry lists "{instance 1}" in state "07"

  @gpcs-11.5.2.3.2 @must @negative @content
  Scenario: INS-28 A token for an installation is refused where none is called for
    Applies: keys and load
    Given the load file is on the card
    And a secure channel at level "01"
    When the host sends "80E60C00 [[{package}] [{module}] [{instance 1}] [00] [C900] [{zero 64}]] 00" in the channel
    Then the card refuses it with 6985, tolerated any error
    And the registry does not list "{instance 1}"
