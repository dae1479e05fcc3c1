"""Which folder of the checkout an installed copy was made from, proven by its text."""

from __future__ import annotations

from ci_kit.coverage_combine.copies import MOST_PLACES, aliases, homes, installed

LINUX, WINDOWS = "/v/lib/python3.13/site-packages", "C:\\v\\Lib\\site-packages"


def found(names: dict[str, str], here: dict[str, str]) -> dict[str, list[str]]:
    """`names` and `here` map a path to its text."""
    return homes(installed(names), here, lambda name, file: names[name] == here[file])


def test_copies_of_any_system_are_told_by_the_innermost_folder() -> None:
    names = [
        f"{LINUX}/a/b.py",
        f"{WINDOWS}\\a\\b.py",
        ".venv/lib/site-packages/a.py",
        "site-packages/a.py",
        "/usr/lib/python3/dist-packages/a/b.py",
        f"{LINUX}/a/site-packages/b.py",
        "src/a/b.py",
        "/v/my-site-packages/a.py",
    ]
    assert {copy.name: (copy.place, copy.inside) for copy in installed(names)} == {
        f"{LINUX}/a/b.py": (LINUX, "a/b.py"),
        f"{WINDOWS}\\a\\b.py": (WINDOWS, "a/b.py"),
        ".venv/lib/site-packages/a.py": (".venv/lib/site-packages", "a.py"),
        "site-packages/a.py": ("site-packages", "a.py"),
        "/usr/lib/python3/dist-packages/a/b.py": ("/usr/lib/python3/dist-packages", "a/b.py"),
        f"{LINUX}/a/site-packages/b.py": (f"{LINUX}/a/site-packages", "b.py"),
    }


def test_the_text_decides_between_folders_of_the_same_name() -> None:
    here = {"src/a/x.py": "1", "src/a/y.py": "2", "build/lib/a/x.py": "1", "build/lib/a/y.py": "old"}
    assert found({f"{LINUX}/a/x.py": "1", f"{LINUX}/a/y.py": "2"}, here) == {"src": [LINUX]}


def test_of_equal_proof_the_upper_folder_counts() -> None:
    here = {"src/a/x.py": "1", "build/lib/a/x.py": "1", "a/x.py": "1"}
    assert found({f"{LINUX}/a/x.py": "1"}, here) == {".": [LINUX]}


def test_packages_of_a_monorepo_have_a_home_each_and_every_place_counts() -> None:
    here = {"one/src/a/x.py": "1", "two/src/b/x.py": "2"}
    names = {f"{LINUX}/a/x.py": "1", f"{WINDOWS}\\a\\x.py": "1", f"{LINUX}/b/x.py": "2"}
    assert found(names, here) == {"one/src": [LINUX, WINDOWS], "two/src": [LINUX]}


def test_another_text_is_led_home_so_that_it_can_be_named() -> None:
    assert found({f"{LINUX}/a/x.py": "other"}, {"src/a/x.py": "1"}) == {"src": [LINUX]}


def test_a_module_alone_needs_proof() -> None:
    here = {"tests/six.py": "1"}
    assert found({f"{LINUX}/six.py": "other"}, here) == {}
    assert found({f"{LINUX}/six.py": "1"}, here) == {"tests": [LINUX]}


def test_what_is_not_here_has_no_home() -> None:
    assert found({f"{LINUX}/requests/api.py": "1"}, {"src/a/api.py": "1", "src/requests.py": "1"}) == {}


def test_places_are_bounded() -> None:
    names = {f"/made-up/{number:04}/site-packages/a/x.py": "1" for number in range(2 * MOST_PLACES)}
    (places,) = found(names, {"src/a/x.py": "1"}).values()
    assert len(places) == MOST_PLACES


def test_the_aliases() -> None:
    said = aliases({".": ["/v/[x]/site-packages"], "one/src": ["/v", "/v"]}, lambda path: path.replace("[", "?"))
    assert said == {
        "ci-kit installed from .": ["./", "/v/?x]/site-packages"],
        "ci-kit installed from one/src": ["one/src/", "/v"],
    }
