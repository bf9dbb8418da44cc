# SPDX-License-Identifier: GPL-2.0
"""What is made of the measurements: medians, ratios and their spread, marks."""

from collections import namedtuple

# value: how much longer theirs takes than ours, by the medians of the rounds;
# low, high: the least and the most that one round alone would say
Ratio = namedtuple("Ratio", "value low high")


def median(values):
    values = sorted(values)
    if not values:
        raise ValueError("nothing has no median")
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def ratio(theirs, ours):
    """Of two dictionaries from rounds to times; None without a round of both.

    A round's own ratio is of two times that were taken one after the other, so
    its spread is what the machine's noise leaves open.
    """
    rounds = [one for one in theirs if one in ours and ours[one]]
    if not rounds:
        return None
    each = [theirs[one] / ours[one] for one in rounds]
    return Ratio(median(theirs[one] for one in rounds) / median(ours[one] for one in rounds),
                 min(each), max(each))


def met(value, wanted, at_most=False):
    """Is a mark met? What was not measured is not."""
    if value is None:
        return False
    return value <= wanted if at_most else value >= wanted
