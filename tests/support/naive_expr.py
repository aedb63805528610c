# SPDX-License-Identifier: Apache-2.0
# Copyright The hiwari authors
"""Expressions of feature specs, naively: text -> nested tuples -> one value at a time.

Values are None (null), bool, int, float, str, datetime.date and datetime.datetime. Every operator looks at the
values it gets; nothing is typed beforehand. This is the second implementation that results are compared with: it
shares no code and no design with lib/features.
"""
import datetime
import math
import re

TOKEN = re.compile(r"""\s*(?:
    (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
  | (?P<string>'(?:[^']|'')*'|"(?:[^"]|"")*")
  | (?P<name>`(?:[^`]|``)+`)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign>==|!=|<>|<=|>=|[-+*/%<>=(),.\[\]])
)""", re.VERBOSE | re.ASCII)
INT_MIN, INT_MAX = -2**63, 2**63 - 1
COMPARISONS = {"==": "==", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def tokens_of(text):
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise ValueError(f"cannot read {text[at:]!r} in {text!r}")
        kind, word = match.lastgroup, match.group(match.lastgroup)
        if kind == "string":
            word = word[1:-1].replace(word[0] * 2, word[0])
        elif kind == "name":
            word = word[1:-1].replace("``", "`")
        tokens.append((kind, word))
        at = match.end()
    return tokens + [("end", "")]


class Parser:
    """Recursive descent; a tree is ("name", x), ("target", x), ("value", x), ("list", [..]) or (operator, [trees])."""

    def __init__(self, text):
        self.text, self.tokens, self.at = text, tokens_of(text), 0

    def take(self, *words):
        kind, word = self.tokens[self.at]
        if kind in ("sign", "word") and word in words:
            self.at += 1
            return word
        return None

    def need(self, word):
        if not self.take(word):
            raise ValueError(f"expected {word} at token {self.at} of {self.text!r}")

    def whole(self):
        tree = self.either()
        if self.tokens[self.at][0] != "end":
            raise ValueError(f"text after the end of {self.text!r}")
        return tree

    def either(self):
        tree = self.both()
        while self.take("or"):
            tree = ("or", [tree, self.both()])
        return tree

    def both(self):
        tree = self.negation()
        while self.take("and"):
            tree = ("and", [tree, self.negation()])
        return tree

    def negation(self):
        return ("not", [self.negation()]) if self.take("not") else self.comparison()

    def comparison(self):
        left = self.sum()
        sign = self.take(*COMPARISONS)
        if sign:
            return (COMPARISONS[sign], [left, self.sum()])
        negated = self.take("not")
        if self.take("in"):
            self.need("(")
            left = ("in", [left] + self.arguments(")"))
        elif self.take("between"):
            low = self.sum()
            self.need("and")
            left = ("between", [left, low, self.sum()])
        return ("not", [left]) if negated else left

    def sum(self):
        tree = self.product()
        while sign := self.take("+", "-"):
            tree = (sign, [tree, self.product()])
        return tree

    def product(self):
        tree = self.unary()
        while sign := self.take("*", "/", "%"):
            tree = (sign, [tree, self.unary()])
        return tree

    def unary(self):
        return ("negative", [self.unary()]) if self.take("-") else self.primary()

    def arguments(self, closing):
        if self.take(closing):
            return []
        trees = [self.either()]
        while self.take(","):
            trees.append(self.either())
        self.need(closing)
        return trees

    def primary(self):
        if self.take("("):
            tree = self.either()
            self.need(")")
            return tree
        if self.take("["):
            return ("list", self.arguments("]"))
        kind, word = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return ("value", float(word) if any(c in word for c in ".eE") else int(word))
        if kind == "string":
            return ("value", word)
        if kind == "word" and word in ("null", "true", "false"):
            return ("value", {"null": None, "true": True, "false": False}[word])
        if kind == "word" and word == "target" and self.take("."):
            self.at += 1
            return ("target", self.tokens[self.at - 1][1])
        if kind == "word" and self.take("("):
            return (word, self.arguments(")"))
        if kind in ("word", "name"):
            return ("name", word)
        raise ValueError(f"unexpected {word!r} in {self.text!r}")


def parse(text):
    return Parser(text).whole()


def names_in(tree):
    """The plain names (not target.x) that a tree reads."""
    if tree[0] == "name":
        return {tree[1]}
    if tree[0] in ("value", "target"):
        return set()
    return set().union(*[names_in(part) for part in tree[1]])


# ---- dates ----

def parse_date(text):
    return datetime.date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None


def parse_timestamp(text):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?", text, re.ASCII)
    if not match:
        return None
    day = datetime.date.fromisoformat(match[1])
    return datetime.datetime(day.year, day.month, day.day, int(match[2]), int(match[3]), int(match[4] or 0),
                             int((match[5] or "0").ljust(6, "0")))


DAY_US = 86400 * 10**6
EPOCH = datetime.datetime(1970, 1, 1)


def is_date(x):
    return isinstance(x, datetime.date) and not isinstance(x, datetime.datetime)


def day_of(x):
    """The calendar day as a number."""
    return x.toordinal()


def start_us(x):
    """Microseconds; a date is the start of its day."""
    if is_date(x):
        x = datetime.datetime(x.year, x.month, x.day)
    return (x - EPOCH) // datetime.timedelta(microseconds=1)


def end_us(x):
    """Microseconds; a date is the end of its day."""
    return start_us(x) + DAY_US - 1 if is_date(x) else start_us(x)


# ---- evaluation ----

def finite(x):
    """What arithmetic answers: null for what no double, and no int64, can hold; never -0."""
    if x is None or (isinstance(x, float) and not math.isfinite(x)):
        return None
    if isinstance(x, int) and not INT_MIN <= x <= INT_MAX:
        return None
    return x + 0.0 if isinstance(x, float) else x


def comparable(a, b):
    """The two operands of a comparison in one kind."""
    if isinstance(a, str) != isinstance(b, str):
        text, other = (a, b) if isinstance(a, str) else (b, a)
        if not isinstance(other, datetime.date):
            raise ValueError(f"cannot compare {a!r} with {b!r}")
        literal = parse_date(text) or parse_timestamp(text)
        return (literal, b) if isinstance(a, str) else (a, literal)
    return a, b


def compare(sign, a, b):
    if a is None or b is None:
        return None
    a, b = comparable(a, b)
    if isinstance(a, datetime.date) and is_date(a) != is_date(b):
        a, b = end_us(a), end_us(b)
    if isinstance(a, str):
        a, b = a.encode(), b.encode()
    return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]


def logical_not(a):
    return None if a is None else not a


def logical_and(values):
    if any(v is False for v in values):
        return False
    return None if any(v is None for v in values) else True


def logical_or(values):
    return logical_not(logical_and([logical_not(v) for v in values]))


def one_of(x, choices):
    return logical_or([compare("==", x, choice) for choice in choices])


def arithmetic(sign, a, b):
    if a is None or b is None:
        return None
    try:
        if sign == "+":
            return finite(a + b)
        if sign == "-":
            return finite(a - b)
        if sign == "*":
            return finite(a * b)
        if b == 0:
            return None
        if sign == "/":
            return finite(float(a) / float(b))
        if isinstance(a, float) or isinstance(b, float):
            return finite(math.fmod(a, b))
        return finite(abs(a) % abs(b) * (1 if a >= 0 else -1))  # the sign of a, as in C and SQL
    except OverflowError:
        return None


def real(function, x):
    try:
        return None if x is None else finite(function(float(x)))
    except (ValueError, OverflowError):
        return None


def rounded(x, digits=0):
    """Halves away from zero."""
    if x is None or (isinstance(x, int) and digits >= 0):
        return x
    if isinstance(x, int):
        step = 10 ** -digits
        return finite((abs(x) + step // 2) // step * step * (1 if x >= 0 else -1))
    if digits == 0:
        whole = math.floor(abs(x))
        return finite(math.copysign(whole + (abs(x) - whole >= 0.5), x))
    scaled = abs(x) * 10.0 ** digits
    return finite(math.copysign(math.floor(scaled + 0.5) / 10.0 ** digits, x))


def floored(x, function):
    return x if x is None or isinstance(x, int) else finite(float(function(x)))


def sortable(x):
    return end_us(x) if isinstance(x, datetime.date) else x


def extreme(choose, values):
    return None if any(v is None for v in values) else choose(values, key=sortable)


def day_function(function):
    return lambda x: None if x is None else function(x)


def bin_of(x, edges):
    return None if x is None else sum(1 for edge in edges if compare("<=", edge, x))


FUNCTIONS = {
    "coalesce": lambda *xs: next((x for x in xs if x is not None), None),
    "is_null": lambda x: x is None,
    "min": lambda *xs: extreme(min, xs),
    "max": lambda *xs: extreme(max, xs),
    "clip": lambda x, low, high: extreme(min, [extreme(max, [x, low]), high]),
    "abs": lambda x: None if x is None else finite(abs(x)),
    "floor": lambda x: floored(x, math.floor),
    "ceil": lambda x: floored(x, math.ceil),
    "round": rounded,
    "sqrt": lambda x: real(math.sqrt, x),
    "ln": lambda x: real(math.log, x),
    "log10": lambda x: real(math.log10, x),
    "exp": lambda x: real(math.exp, x),
    "year": day_function(lambda x: x.year),
    "month": day_function(lambda x: x.month),
    "day": day_function(lambda x: x.day),
    "weekday": day_function(lambda x: x.isoweekday() % 7),
    "day_of_year": day_function(lambda x: x.timetuple().tm_yday),
    "hour": day_function(lambda x: 0 if is_date(x) else x.hour),
    "days_between": lambda a, b: None if a is None or b is None else day_of(b) - day_of(a),
    "bin": bin_of,
}


def evaluate(tree, name, target=None):
    """The value of a tree; name and target are functions from a column's name to its value."""
    kind, parts = tree
    if kind == "value":
        return parts
    if kind == "name":
        return name(parts)
    if kind == "target":
        return target(parts)
    if kind == "if":
        condition = evaluate(parts[0], name, target)
        return evaluate(parts[1 if condition else 2], name, target)
    values = [evaluate(part, name, target) for part in parts]
    if kind == "list":
        return values
    if kind == "and":
        return logical_and(values)
    if kind == "or":
        return logical_or(values)
    if kind == "not":
        return logical_not(values[0])
    if kind in COMPARISONS:
        return compare(kind, *values)
    if kind == "in":
        return one_of(values[0], values[1:])
    if kind == "between":
        return logical_and([compare(">=", values[0], values[1]), compare("<=", values[0], values[2])])
    if kind in "+-*/%":
        return arithmetic(kind, *values)
    if kind == "negative":
        return None if values[0] is None else finite(-values[0])
    return FUNCTIONS[kind](*values)
