Feature: The run as a whole

  @iso7816-5.1 @must
  Scenario: RUN-01 Every command has an answer
    Then every command of the run was answered

  @iso7816-5.6 @policy
  Scenario: RUN-02 Answers come without being fetched
    Applies: t != 0
    The transmission protocol T=1 carries any answer; cards that have it fetched all the same need hosts
    that know.
    Then no answer of the run had to be fetched
