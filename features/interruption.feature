Feature: Nothing is lost when something dies
  Cards are pulled, readers unplugged, servers lose power. At whatever moment that happens during
  a format with key changeover, the next format of the same card ends with a FORMATTED token whose
  keys and record agree.

  @cut
  Scenario Outline: The card is pulled before each command
    Given a token management system with the usual users
    When a "<stock>" card is pulled before each command of a format in turn, and formatted again each time
    Then every card ends as a FORMATTED token with key version "02"

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  @cut
  Scenario Outline: The answer of each command is lost
    Given a token management system with the usual users
    When a "<stock>" card does each command of a format in turn but its answer is lost, and it is formatted again each time
    Then every card ends as a FORMATTED token with key version "02"

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  @cut @memory
  Scenario Outline: Power fails at each write to the card's memory
    Given a token management system with the usual users
    When a "<stock>" card loses power at each write to its memory in turn, and is formatted again each time
    Then every card ends as a FORMATTED token with key version "02"

    Examples:
      | stock       |
      | gp211-scp01 |
      | gp211-scp02 |
      | sce6-scp03  |
      | sce7-scp03  |

  @cut @alone
  Scenario Outline: The server is killed at each intent and each outcome
    When the server of a "<stock>" card is killed at each intent and outcome of a format in turn, and the card is formatted again each time
    Then every card ends as a FORMATTED token with key version "02"

    Examples:
      | stock       |
      | gp211-scp02 |
      | sce7-scp03  |
