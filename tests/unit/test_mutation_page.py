"""The summary and the annotations of mutants, from results made by hand: what a person reads in each case."""

from __future__ import annotations

from dataclasses import replace

from ci_kit.selective_mutation.budget import Cost
from ci_kit.selective_mutation.judging import Counts, Policy
from ci_kit.selective_mutation.page import headline, markdown
from ci_kit.selective_mutation.say import noted
from unit.mutation_reports import DECISION, judged, mutant, result

GUARD = mutant("user.admin", "True")
ANSWER = mutant("return False", "return None", operator="ci-kit:return-none")
KILLED = judged(ANSWER, "killed", "t.py::a", killer="t.py::a")


def policy(least: float, *found: str) -> Policy:
    of = dict.fromkeys(("killed", "timeout", "survived", "no-coverage", "pending", "error"), 0)
    for status in found:
        of[status] += 1
    return Policy("app/**", least, Counts(of))


def test_a_weakened_test_is_the_first_that_is_said_and_shown() -> None:
    let_go = judged(
        mutant("True\n", "None\n", operator="name", path="app/zone.py"), "survived", "t.py::a", weakened=True
    )
    found = markdown(result(judged(GUARD, "survived", "t.py::a"), let_go, KILLED))
    assert found.startswith("## ❌ Mutants: score 33.33 %\n")
    assert "**Why it fails:**\n\n- The tests before this change notice a change of the code that they do not" in found
    assert found.index("`app/zone.py:3`") < found.index("`app/jwt.py:2`")
    assert "**The tests before this change noticed it.**" in found


def test_each_survivor_has_its_place_its_diff_who_did_not_notice_and_what_to_do() -> None:
    found = markdown(result(judged(GUARD, "survived", "tests/test_a.py::test[*]")))
    wanted = """\
### 1 change that no test notices

**`app/jwt.py:2`** in `allowed` (ci-kit:condition-true)

```diff
-     if user.admin:
+     if True:
```

One test runs this code and does not notice: tests/test\\_a.py::test\\[\\*\\].
**A test must take the way on which this condition is false, and check what follows.**"""
    assert wanted in found
    assert found.startswith("## ✅ Mutants: score 0 %\n"), "without a policy survivors are reported only"


def test_policies_that_are_not_met_say_why() -> None:
    found = result(KILLED, judged(GUARD), policies=(policy(90, "killed", "survived"), policy(10, "killed")))
    page = markdown(found)
    assert "- The mutation score of app/\\*\\*" in page or "- The mutation score of app/" in page
    assert "| 90 % | 50 % |" in page
    assert "**not met**" in page
    first = next(iter(noted(found)))
    assert (first.level, first.title) == ("error", "mutation policy")
    assert first.message == "The mutation score of app/** is 50 %, less than 90 %."


def test_mutants_of_which_none_was_judged_are_called_that() -> None:
    found = result(judged(GUARD, "pending"), policies=(policy(90, "pending"),))
    assert "**none was judged**" in markdown(found)
    assert headline(found) == "Mutation score unknown (failed): 1 pending."


def test_a_long_list_is_cut_and_counted() -> None:
    many = [judged(replace(GUARD, id=str(number))) for number in range(25)]
    found = markdown(result(*many))
    assert found.count("```diff") == 20
    assert "And 5 more, in the report." in found


def test_changed_lines_without_a_mutant_are_listed_aloud() -> None:
    found = result(unmutated=(("app/jwt.py", 3, 3), ("app/jwt.py", 7, 9)))
    assert "- `app/jwt.py:3`\n- `app/jwt.py:7-9`" in markdown(found)
    levels = [(each.level, each.file, each.line, each.end_line) for each in noted(found)]
    assert levels == [("warning", "app/jwt.py", 3, 3), ("warning", "app/jwt.py", 7, 9)]


def test_nothing_to_do_is_said_without_alarm() -> None:
    assert markdown(result()).startswith("## Mutants: nothing to mutate\n")
    idle = replace(result(), decision=replace(DECISION, run=False, reason="The pull request touches nothing of it."))
    assert markdown(idle) == "## Mutants: not part of this run\n\nThe pull request touches nothing of it."
    assert headline(idle) == "Mutants: not part of this run. The pull request touches nothing of it."
    assert list(noted(idle)) == []


def test_a_run_that_takes_too_long_names_what_is_costliest() -> None:
    cost = Cost("app/jwt.py", "allowed", 12, 400.0)
    *_, last = noted(result(KILLED, seconds=660.0, costliest=(cost,)))
    assert last.message == (
        "Mutation testing took 11 minutes, more than 10. The costliest targets: allowed of app/jwt.py."
    )
    assert "| `app/jwt.py` | `allowed` | 12 | 400.0 |" in markdown(result(KILLED, seconds=60.0, costliest=(cost,)))


def test_nothing_of_a_pull_request_is_markup_in_the_summary() -> None:
    source = "x = '```\n<b>'\n"
    found = judged(
        mutant("```\n<b>", "|", source=source, path="a|`b`.py", function="<i>"), "survived", "t.py::<img src=x>[](y)"
    )
    page = markdown(result(found, notes=("<script>",)))
    outside = page.split("````diff")[0] + page.split("````")[-1]
    assert "<b>" not in outside
    assert "<i>" not in outside.replace("`<i>`", "")
    assert "<img" not in outside.replace("\\<img", "")
    assert "<script>" not in outside.replace("\\<script", "")
