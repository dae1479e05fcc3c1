"""Secrets are hidden in every spelling that act's log, the kit's commands and a page give them."""

from __future__ import annotations

import base64
import json

import pytest
from ci_kit.act.masks import Masks
from hypothesis import given
from hypothesis import strategies as st

SECRETS = ['p%ss"w&rd', "back\\slash", "<a&b>'c'", "pässwörd✓", "new\r\nline%0A", "k=v:w,x y", "se::cret"]


def command_data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def go_json(record: object) -> str:
    """JSON as Go writes it: `&`, `<` and `>` escaped, other characters as they are."""
    text = json.dumps(record, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def spoken(line: str) -> str:
    """A kept line, decoded, as one text."""
    return repr(json.loads(line))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_kept_line_holds_a_secret_in_no_spelling(secret: str) -> None:
    record = {
        "msg": f"it is {secret}\n", "raw": f"::error title={command_data(secret)}::{command_data(secret)}",
        "content": json.dumps({"inner": secret}), "kvPairs": {"name": secret, secret: "x"}, "stepID": ["1", secret],
        "arg": base64.b64encode(secret.encode()).decode(), "dryrun": False, "executionTime": 5,
    }  # fmt: skip
    kept = Masks([secret]).line(go_json(record))
    for part in (secret, command_data(secret), go_json(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert part not in kept
        assert part not in spoken(kept)
    assert json.loads(kept) == {
        "msg": "it is ***\n", "raw": "::error title=***::***", "content": '{"inner": "***"}',
        "kvPairs": {"name": "***", "***": "x"}, "stepID": ["1", "***"], "arg": "***", "dryrun": False, "executionTime": 5,
    }  # fmt: skip


@pytest.mark.parametrize("command", ["add-mask", "add-mask::se"])
def test_of_a_mask_only_the_fact_is_kept(command: str) -> None:
    """Also before its value is known to be one."""
    record = {
        "command": command,
        "raw": "::add-mask::p%25ss",
        "arg": "p%ss",
        "msg": "p%ss",
        "kvPairs": {},
        "jobID": "a",
    }
    assert json.loads(Masks([]).line(json.dumps(record))) == {"command": "add-mask", "jobID": "a"}


def test_each_line_of_a_secret_and_what_it_assigns_is_hidden() -> None:
    masks = Masks(['# shop\nAPI_KEY = spaced\nTOKEN=ab"c%d\n  PASSWORD=x=y&z  \nplain line\nPAD=\nbase64=='])
    said = 'ab"c%d / x=y&z / plain line / TOKEN=ab"c%d / base64== / ab%22c%25d / ab"c%25d / PAD= / a==b / spaced'
    assert masks.hide(said) == "*** / *** / *** / *** / *** / *** / *** / *** / a==b / ***"
    assert masks.hide("the TOKEN of API_KEY") == "the TOKEN of API_KEY"


def test_values_that_overlap_leave_no_rest() -> None:
    masks = Masks(["abcd", "cdef", "ab"])
    assert masks.hide("1abcdef2 ab3 abcdcdef") == "1***2 ***3 ***"
    assert Masks(["a"]).hide("aab") == "***b"


def test_what_is_added_later_is_hidden_from_then_on() -> None:
    masks = Masks([])
    assert masks.hide("later") == "later"
    masks.add("later")
    assert masks.hide("later") == "***"


@pytest.mark.parametrize("line", ["no json: s3cret", '["s3cret"', '["s3cret"]', "3"])
def test_what_is_no_record_is_hidden_as_text(line: str) -> None:
    assert Masks(["s3cret"]).line(line) == line.replace("s3cret", "***")


def test_a_line_can_always_be_written() -> None:
    assert json.loads(Masks([]).line('{"msg": "\\ud800"}').encode()) == {"msg": "\ud800"}


@given(st.text(min_size=3).filter(str.strip), st.text(), st.text())
def test_no_text_shows_a_secret(secret: str, before: str, after: str) -> None:
    """Whatever it is made of, unless the secret is made of the stars."""
    secret = f"!{secret}"
    kept = json.loads(Masks([secret]).line(json.dumps({"msg": f"{before}{secret}{after}"})))
    assert secret not in kept["msg"]
    assert "***" in kept["msg"]
