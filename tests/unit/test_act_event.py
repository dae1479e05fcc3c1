"""Payloads hold what GitHub's do, where the kit and other tools look for it."""

from __future__ import annotations

from ci_kit.act.event import ZERO_SHA, Occasion, Pull, payload, variables

SHA, BASE, HEAD = "a" * 40, "b" * 40, "c" * 40


def pull_request(head_repository: str, labels: tuple[str, ...] = ()) -> Occasion:
    """A pull request from `head_repository` into me/app."""
    pull = Pull(7, "main", BASE, "topic", HEAD, head_repository, labels)
    return Occasion("pull_request", "me/app", "main", "refs/pull/7/merge", SHA, pull=pull)


def test_push() -> None:
    """A first push comes from nothing."""
    first = payload(Occasion("push", "me/app", "trunk", "refs/heads/x", SHA))
    assert (first["ref"], first["before"], first["after"], first["created"]) == ("refs/heads/x", ZERO_SHA, SHA, True)
    assert first["repository"]["default_branch"] == "trunk"
    assert first["repository"]["full_name"] == "me/app"
    assert payload(Occasion("push", "me/app", "trunk", "refs/heads/x", SHA, BASE))["created"] is False


def test_pull_request_from_a_branch() -> None:
    """Number, labels, both sides; the head is the same repository."""
    data = payload(pull_request("me/app", ("mutation-test",)))
    pull = data["pull_request"]
    assert (data["number"], pull["number"]) == (7, 7)
    assert [label["name"] for label in pull["labels"]] == ["mutation-test"]
    assert (pull["base"]["ref"], pull["base"]["sha"], pull["head"]["ref"], pull["head"]["sha"]) == (
        "main",
        BASE,
        "topic",
        HEAD,
    )
    assert pull["head"]["repo"]["fork"] is False
    assert pull["merge_commit_sha"] == SHA


def test_pull_request_from_a_fork() -> None:
    """Both signs of a fork: the flag, and another full name."""
    occasion = pull_request("stranger/app")
    head = payload(occasion)["pull_request"]["head"]
    assert occasion.is_fork
    assert head["repo"]["fork"] is True
    assert head["repo"]["full_name"] == "stranger/app"
    assert head["label"] == "stranger:topic"


def test_dispatch_inputs_and_variables() -> None:
    """Inputs lie in the payload; act is told what it would guess from the folder's name."""
    occasion = Occasion("workflow_dispatch", "me/app", "main", "refs/heads/main", SHA, inputs=(("depth", "2"),))
    assert payload(occasion)["inputs"] == {"depth": "2"}
    told = variables(occasion, 5)
    assert (told["GITHUB_REPOSITORY"], told["SHA_REF"], told["GITHUB_REF_TYPE"], told["GITHUB_RUN_ID"]) == (
        "me/app", SHA, "branch", "5",
    )  # fmt: skip
