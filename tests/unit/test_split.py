"""The laws of dealing files to shards."""

from __future__ import annotations

from ci_kit.discovery import TestFile
from ci_kit.split import MOST_SHARDS, TARGET_SECONDS, choose_count, estimated_seconds, split
from hypothesis import given
from hypothesis import strategies as st

FILES = st.lists(
    st.builds(TestFile, st.text(min_size=1), st.integers(1, 2000)), max_size=60, unique_by=lambda f: f.path
)


@given(files=FILES, count=st.integers(1, 40))
def test_it_is_a_partition(files: list[TestFile], count: int) -> None:
    shards = split(files, count)
    assert len(shards) == count
    assert sorted(path for shard in shards for path in shard) == sorted(file.path for file in files)


@given(files=FILES, count=st.integers(1, 40), random=st.randoms())
def test_the_order_of_the_files_does_not_matter(files: list[TestFile], count: int, random: object) -> None:
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert split(shuffled, count) == split(files, count)


@given(files=FILES, count=st.integers(1, 40))
def test_the_slowest_shard_is_within_grahams_bound(files: list[TestFile], count: int) -> None:
    """At most 4/3 - 1/(3m) of the best, and the best is at least each of these (Graham 1969)."""
    cost = {file.path: estimated_seconds(file) for file in files}
    longest = sorted(cost.values(), reverse=True)
    pair = sum(longest[count - 1 : count + 1]) if len(longest) > count else 0.0
    least = max([sum(longest) / count, *longest[:1], pair])
    slowest = max(sum(cost[path] for path in shard) for shard in split(files, count))
    # The lower bound may lie under the best split; LPT also never exceeds the mean by more than one file.
    assert slowest <= max((4 / 3 - 1 / (3 * count)) * least, sum(longest) / count + max(longest, default=0)) + 1e-6


@given(files=FILES)
def test_the_chosen_count_meets_the_target_or_the_limit(files: list[TestFile]) -> None:
    count = choose_count(files)
    assert 1 <= count <= max(1, min(MOST_SHARDS, len(files)))
    total = sum(map(estimated_seconds, files))
    assert count in {MOST_SHARDS, len(files)} or total / count <= TARGET_SECONDS
