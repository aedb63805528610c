# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Calculations over the rows of one window or group, naively and by their definitions.

A window is a list of rows, oldest first; xs are the values of the first argument over it (None where null), ys those
of the second. Sums are exact: of integers and of decimals' digits as whole numbers, of floats as fractions.
"""
import math
from collections import Counter
from fractions import Fraction

from naive_expr import day_of, end_us, sortable


def known(xs):
    return [x for x in xs if x is not None]


def to_float(fraction):
    try:
        value = float(fraction)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def ratio(top, bottom):
    return None if bottom == 0 else to_float(Fraction(top) / Fraction(bottom))


def total(xs, scale):
    """The exact sum: a whole number in units of 10^-scale for decimals, else an int or Fraction."""
    if scale is not None:
        return Fraction(sum(round(Fraction(x) * 10 ** scale) for x in xs), 10 ** scale)
    return sum(x if isinstance(x, int) else Fraction(x) for x in xs)


def sum_of(xs, scale):
    xs = known(xs)
    if not xs:
        return None
    exact = total(xs, scale)
    return exact if isinstance(exact, int) else to_float(exact)


def mean_of(xs, scale):
    xs = known(xs)
    return to_float(Fraction(total(xs, scale)) / len(xs)) if xs else None


def moment(xs, power):
    mean = Fraction(sum(map(Fraction, xs)), len(xs))
    return sum((Fraction(x) - mean) ** power for x in xs) / len(xs)


def variance(xs, less):
    xs = known(xs)
    return to_float(moment(xs, 2) * len(xs) / (len(xs) - less)) if len(xs) > less else None


def deviation(xs, less):
    value = variance(xs, less)
    return None if value is None else math.sqrt(value)


def skewness(xs):
    """The sample skewness, corrected for bias."""
    xs, n = known(xs), len(known(xs))
    if n < 3 or moment(xs, 2) == 0 or variance(xs, 0) is None:
        return None
    m2, m3 = moment(xs, 2), moment(xs, 3)
    size = math.sqrt(to_float(abs(m3) ** 2 / m2 ** 3))
    return math.sqrt(n * (n - 1)) / (n - 2) * math.copysign(size, m3)


def kurtosis(xs):
    """The sample excess kurtosis, corrected for bias."""
    xs, n = known(xs), len(known(xs))
    if n < 4 or moment(xs, 2) == 0 or variance(xs, 0) is None:
        return None
    m2, m4 = moment(xs, 2), moment(xs, 4)
    return to_float((n - 1) * ((n + 1) * m4 / m2 ** 2 - 3 * (n - 1)) / ((n - 2) * (n - 3)))


def quantile(xs, q):
    """Linear interpolation between order statistics (type 7)."""
    xs = sorted(known(xs))
    if not xs:
        return None
    place = Fraction(q) * (len(xs) - 1)
    low = math.floor(place)
    high = min(low + 1, len(xs) - 1)
    return to_float(Fraction(xs[low]) + (place - low) * (Fraction(xs[high]) - Fraction(xs[low])))


def absolute_deviation(xs):
    xs = known(xs)
    if not xs:
        return None
    middle = quantile(xs, Fraction(1, 2))
    return quantile([abs(float(x) - middle) for x in xs], Fraction(1, 2))


def interquartile(xs):
    return None if not known(xs) else quantile(xs, Fraction(3, 4)) - quantile(xs, Fraction(1, 4))


def mode(xs):
    """The most frequent value; of several the one seen most recently."""
    counts = Counter(known(xs))
    most = max(counts.values(), default=0)
    return next((x for x in reversed(xs) if x is not None and counts[x] == most), None)


def top_share(xs):
    counts = Counter(known(xs))
    return max(counts.values()) / sum(counts.values()) if counts else None


def entropy(xs):
    counts = Counter(known(xs))
    n = sum(counts.values())
    return math.fsum(-c / n * math.log2(c / n) for c in counts.values()) + 0.0 if counts else None


def line(points):
    """The least-squares slope through (x, y) points; null when there is none."""
    n = len(points)
    if n < 2:
        return None
    mean_x = Fraction(sum(x for x, _ in points), n)
    mean_y = sum(Fraction(y) for _, y in points) / n
    return ratio(sum((x - mean_x) * (Fraction(y) - mean_y) for x, y in points),
                 sum((x - mean_x) ** 2 for x, _ in points))


def streak(conditions):
    length = 0
    for condition in reversed(conditions):
        if condition is not True:
            break
        length += 1
    return length


def max_streak(conditions):
    return max(streak(conditions[:end]) for end in range(len(conditions) + 1))


def newest_true(conditions):
    """How many rows after the newest that is true; None when none is."""
    return next((after for after, c in enumerate(reversed(conditions)) if c is True), None)


def best_by(xs, keys):
    pairs = [(sortable(k), x) for x, k in zip(xs, keys) if x is not None and k is not None]
    best = None
    for key, x in pairs:
        if best is None or key >= best[0]:
            best = (key, x)
    return best and best[1]


def ewma(xs, ages, halflife):
    """ages: how far each row is behind the newest, in the unit of halflife."""
    newest = next((age for x, age in zip(reversed(xs), reversed(ages)) if x is not None), None)
    if newest is None:
        return None
    weights = [0.5 ** ((age - newest) / halflife) for age in ages]
    pairs = [(w, x) for w, x in zip(weights, xs) if x is not None]
    return math.fsum(w * x for w, x in pairs) / math.fsum(w for w, _ in pairs)


def difference(a, b):
    if a is None or b is None:
        return None
    return a - b if isinstance(a, int) and isinstance(b, int) else to_float(Fraction(a) - Fraction(b))


def where_true(xs, conditions):
    return [x for x, c in zip(xs, conditions) if c is True]


def lowest(xs):
    return min(known(xs), key=sortable, default=None)


def highest(xs):
    return max(known(xs), key=sortable, default=None)


AGGREGATES = {  # over windows and groups: (xs, ys, number, scale) -> value
    "count": lambda xs, ys, k, s: len(known(xs)),
    "sum": lambda xs, ys, k, s: sum_of(xs, s),
    "mean": lambda xs, ys, k, s: mean_of(xs, s),
    "rate": lambda xs, ys, k, s: mean_of(xs, None),
    "min": lambda xs, ys, k, s: lowest(xs),
    "max": lambda xs, ys, k, s: highest(xs),
    "range": lambda xs, ys, k, s: difference(highest(xs), lowest(xs)),
    "std": lambda xs, ys, k, s: deviation(xs, 1),
    "var": lambda xs, ys, k, s: variance(xs, 1),
    "std0": lambda xs, ys, k, s: deviation(xs, 0),
    "var0": lambda xs, ys, k, s: variance(xs, 0),
    "skew": lambda xs, ys, k, s: skewness(xs),
    "kurt": lambda xs, ys, k, s: kurtosis(xs),
    "median": lambda xs, ys, k, s: quantile(xs, Fraction(1, 2)),
    "quantile": lambda xs, ys, k, s: quantile(xs, k),
    "mad": lambda xs, ys, k, s: absolute_deviation(xs),
    "iqr": lambda xs, ys, k, s: interquartile(xs),
    "nunique": lambda xs, ys, k, s: len(set(known(xs))),
    "mode": lambda xs, ys, k, s: mode(xs),
    "top_share": lambda xs, ys, k, s: top_share(xs),
    "entropy": lambda xs, ys, k, s: entropy(xs),
    "count_if": lambda xs, ys, k, s: sum(1 for x in xs if x is True),
    "sum_if": lambda xs, ys, k, s: sum_of(where_true(xs, ys), s),
    "mean_if": lambda xs, ys, k, s: mean_of(where_true(xs, ys), s),
    "min_if": lambda xs, ys, k, s: lowest(where_true(xs, ys)),
    "max_if": lambda xs, ys, k, s: highest(where_true(xs, ys)),
    "best_by": lambda xs, ys, k, s: best_by(xs, ys),
}


def window_calc(name, xs, ys, number, scale, times, cutoff, halflife_unit):
    """One value for a window. times: the rows' times, oldest first; cutoff: the target's."""
    if name in AGGREGATES:
        return AGGREGATES[name](xs, ys, number, scale)
    n = len(times)
    if n == 0:
        return None
    if name == "first":
        return xs[0]
    if name in ("last", "lag"):
        back = int(number) if name == "lag" else 1
        return xs[-back] if back <= n else None
    if name in ("delta", "pct_change"):
        newest, previous = (xs[-1], xs[-2]) if n > 1 else (None, None)
        change = difference(newest, previous)
        if name == "delta" or change is None:
            return change
        return (float(newest) - float(previous)) / float(previous) if previous else None
    if name == "streak":
        return streak(xs)
    if name == "max_streak":
        return max_streak(xs)
    if name == "rows_since":
        return newest_true(xs)
    if name == "days_since":
        after = newest_true(xs)
        return None if after is None else day_of(cutoff) - day_of(times[-1 - after])
    if name == "days_since_last":
        return day_of(cutoff) - day_of(times[-1])
    if name == "days_since_first":
        return day_of(cutoff) - day_of(times[0])
    if name == "mean_gap_days":
        gaps = [day_of(b) - day_of(a) for a, b in zip(times, times[1:])]
        return sum(gaps) / len(gaps) if gaps else None
    if name == "slope":
        return line(list(enumerate(known(xs))))
    if name == "slope_by_day":
        return line([(day_of(t), x) for t, x in zip(times, xs) if x is not None])
    if name == "ewma":
        if halflife_unit == "halflife_rows":
            ages = [n - 1 - i for i in range(n)]
        else:
            ages = [(end_us(times[-1]) - end_us(t)) / 86400e6 for t in times]
        return ewma(xs, ages, number)
    raise ValueError(f"no calculation {name}")


def rank(xs, at, words):
    """The rank of xs[at] among the non-null xs."""
    if xs[at] is None:
        return None
    keys = [None if x is None else sortable(x) for x in xs]
    key = keys[at]
    others = known(keys)
    before = [k for k in others if (k > key if "desc" in words else k < key)]
    same = sum(1 for k in others if k == key)
    if "dense" in words:
        return len(set(before)) + 1
    if "max" in words:
        return len(before) + same
    if "avg" in words:
        return len(before) + (same + 1) / 2
    if "first" in words:
        return len(before) + 1 + sum(1 for k in keys[:at] if k == key)
    return len(before) + 1


def group_calc(name, xs, ys, number, scale, words, at, others):
    """The value of the group's row number `at`."""
    def left(values):
        return values[:at] + values[at + 1:] if others else values

    if name == "size":
        return len(left(xs))
    if name in AGGREGATES:
        return AGGREGATES[name](left(xs), left(ys), number, scale)
    x, members = xs[at], known(left(xs))
    if name == "rank":
        return rank(xs, at, words)
    if x is None:
        return None
    if name == "pct_rank":
        return (rank(xs, at, words) - 1) / (len(members) - 1) if len(members) > 1 else 0.0
    if name == "zscore":
        spread = moment(members, 2)
        if spread == 0:
            return 0.0
        if to_float(spread) is None:
            return None
        away = Fraction(x) - sum(map(Fraction, members)) / len(members)
        return math.copysign(math.sqrt(to_float(away ** 2 / spread)), away)
    if name == "share":
        return ratio(x, total(members, scale))
    if not members:
        return None
    if name == "diff_mean":
        return to_float(Fraction(x) - Fraction(total(members, scale)) / len(members))
    members.sort(reverse="asc" not in words)
    place = int(number) if name == "gap_to" else 1
    return difference(x, members[place - 1]) if place <= len(members) else None
