@alone
Feature: Labels of states and moves
  Programs and scripts speak of states by their names. People are shown labels, which an organisation may write
  in words of its own, into a file that is read whenever a label is shown.

  Background:
    Given a token management system with the usual users

  Scenario Outline: Names for programs, labels for people
    Given a token that is recorded as <name>, was FORMATTED
    When the operator types: tms token show TOKEN
    Then the command shows lines with
      | state | <name> |
    When the operator types: tms token show TOKEN --labels
    Then the command shows lines with
      | state | <label> |
    When the operator types: tms token list --limit 1
    Then the command shows lines with
      | TOKEN | <name> |
    When the operator types: tms token list --limit 1 --labels
    Then the command shows lines with
      | TOKEN | <label> |

    Examples:
      | name        | label                        |
      | FORMATTED   | Formatted (uninitialized)    |
      | DAMAGED     | Physically damaged           |
      | PERM_LOST   | Permanently lost             |
      | SUSPENDED   | Suspended (temporarily lost) |
      | ACTIVE      | Active                       |
      | TERMINATED  | Terminated                   |
      | UNFORMATTED | Unformatted                  |

  Scenario Outline: What people can choose, in their words
    Given a token that is recorded as <state>
    When the operator types: tms token show TOKEN --labels
    Then the command says "<next>"

    Examples:
      | state      | next                                                      |
      | FORMATTED  | This token has been physically damaged.                   |
      | FORMATTED  | This token has been permanently lost.                     |
      | ACTIVE     | This token has been suspended (temporarily lost).         |
      | ACTIVE     | This token has been terminated.                           |
      | SUSPENDED  | This suspended (temporarily lost) token has been found.   |
      | SUSPENDED  | This suspended (temporarily lost) token has become permanently lost. |
      | TERMINATED | Reuse this token.                                         |

  Scenario: Words of one's own, at once, and the shipped ones again
    Given a token that is recorded as ACTIVE
    When the operator types: tms token show TOKEN --labels
    Then the command says "Active"
    When the operator writes into the file of labels
      """
      # of our own
      ACTIVE              = In use
      SUSPENDED           = Mislaid
      ACTIVE.SUSPENDED    = Say that you can't find it
      """
    And the operator types: tms token show TOKEN --labels
    Then the command says "In use"
    And the command says "Say that you can't find it"
    And the command says "This token has been terminated."
    When the operator writes into the file of labels
      """
      ACTIVE = F\u00fcr Sie
      """
    And the operator types: tms token show TOKEN --labels
    Then the command says "Für Sie"
    And the command does not say "Say that you can't find it"
    When the operator types: tms token show TOKEN
    Then the command says "ACTIVE"
    And the command does not say "Für Sie"
    When the operator deletes the file of labels
    And the operator types: tms token show TOKEN --labels
    Then the command shows lines with
      | state | Active |
    And the server's log warns never of the file of labels

  Scenario Outline: A file that is none
    Given a token that is recorded as ACTIVE
    When the file of labels holds <what>
    And the operator types: tms token show TOKEN --labels
    Then the command shows lines with
      | state      | Active                                            |
      | can become | This token has been suspended (temporarily lost). |
    When the operator types: tms token list --labels --limit 1
    Then the command shows lines with
      | TOKEN | Active |
    And the server's log warns once of the file of labels

    Examples:
      | what                         |
      | a terminal's escape sequence |
      | a program                    |
      | a megabyte                   |
      | an unknown state             |
