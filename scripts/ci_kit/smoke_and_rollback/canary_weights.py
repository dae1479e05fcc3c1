"""Shares of the traffic as the whole numbers that a load balancer takes. Pure."""

from __future__ import annotations

from math import gcd


def weights(percent: int, new: int, old: int, largest: int) -> tuple[int, int]:
    """The weight of each of `new` servers and of each of `old` ones, so that the new ones get `percent` of the traffic.

    Exact where whole numbers up to `largest` allow it, and otherwise the nearest; a share that is not 0 never becomes 0.
    Raises `ValueError` for a percentage out of 0 to 100 or a side without servers.
    """
    if not 0 <= percent <= 100 or new < 1 or old < 1:
        raise ValueError(f"{percent} % for {new} of {new + old} servers")
    one, other = percent * old, (100 - percent) * new
    divisor = gcd(one, other)
    one, other = one // divisor, other // divisor
    if percent in {0, 100}:  # any weight will do for the side that gets it all
        return min(one, 1) * 100, min(other, 1) * 100
    biggest = max(one, other)
    if biggest <= largest:
        return one, other
    return max(1, round(one * largest / biggest)), max(1, round(other * largest / biggest))
