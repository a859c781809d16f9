@programs
Feature: Programs that show what is in a reader
  Somebody who puts a card into a reader and asks whatever program is at hand should see the card:
  the answer to reset that it gives, its name, and the answers to commands of their own.

  Scenario Outline: opensc-tool shows a blank card of every stock
    Given a blank card of stock "<stock>"
    When opensc-tool is asked for ATR and name, and to send "80CA9F7F00" and "80CA006600"
    Then it shows the card's ATR
    And it names the card "Unsupported card"
    And it shows the card's own answers to both commands

    Examples:
      | stock       |
      | op201-scp01 |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  Scenario: opensc-tool knows a card with the applet
    Given a card of stock "gp211-scp02" with the applet
    When opensc-tool is asked for ATR and name, and to send "80CA9F7F00" and "80CA006600"
    Then it shows the card's ATR
    And it names the card "COOLKEY"
    And it shows the card's own answers to both commands

  Scenario: pcsc_scan shows the card in its reader
    Given a blank card of stock "sce7-scp03"
    When pcsc_scan looks at the readers
    Then it shows the card's ATR in the card's reader, and no other card

  Scenario: pcsc_scan sees a card come and go
    Given a blank card of stock "gp211-scp02"
    When pcsc_scan is watching while the card is taken out and put back
    Then it has seen the card go and come
