"""Names that probably mean one class though they are no spellings of one word: yes and Y, café and cafe, class 01 and class 1."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

_MEANINGS: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
    (
        {"yes": "yes", "true": "yes", "no": "no", "false": "no"},
        {"y": "yes", "t": "yes", "1": "yes", "n": "no", "f": "no", "0": "no"},
    ),
    (
        {"male": "male", "man": "male", "men": "male", "female": "female", "woman": "female", "women": "female"},
        {"m": "male", "f": "female"},
    ),
    ({"positive": "positive", "negative": "negative"}, {"pos": "positive", "+": "positive", "neg": "negative"}),
    ({"control": "control"}, {"ctrl": "control", "ctl": "control"}),
    ({"left": "left", "right": "right"}, {"l": "left", "r": "right"}),
)
"""Words with what they mean, and their short forms, which count only in a column that has one of the words."""

_UNKNOWN = frozenset("u")
"""Letters that may stand beside short forms."""

_LATIN = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"  # Cyrillic
    "\u03bf\u03b1\u03c1\u03bd\u03b9\u03ba\u03c7",  # Greek
    "aeopcyxijshdqwoapvikx",
)
"""Small letters of other scripts that look like Latin ones."""

_CAPITALS = str.maketrans("\u0432\u043a\u043c\u043d\u0442\u03b2\u03b5\u03b6\u03c4\u03c5", "bkmhtbezty")
"""Small letters of other scripts whose capitals look like Latin ones; not mu, as a microgram is no milligram."""

_TIMES = (
    "day",
    "week",
    "month",
    "year",
    "hour",
    "minute",
    "time",
    "timepoint",
    "visit",
    "days",
    "weeks",
    "months",
    "hours",
)

_HYPHEN = re.compile(
    "(?<=[^\\W\\d_]{3})" + "".join(f"(?<!{time})" for time in _TIMES) + r"-(?=\d)|(?<=\d)-(?=[^\W\d_])"
)
"""Hyphens between a word and a number; not those behind times, which may be minus signs: day -1 is not day 1."""

_ZEROS = re.compile(r"(?<![\d.,])0+(?=\d)")

_LETTERS_IN_NUMBERS = ((re.compile(r"(?<=\d)o(?=\d|$)"), "0"), (re.compile(r"(?<=\d)[li](?=\d)"), "1"))

_AS_DIGITS = str.maketrans("ol", "01")

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.ASCII)

_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+|\d+")

RARE, FREQUENT, TIMES_RARER = 2, 10, 5
"""Most samples of a misspelt class, fewest of the class that is meant, and by how many times that has more."""

_SHORTEST, _SHORTEST_SWAPPED = 5, 4
"""Letters of a word from which on one letter is a mistake rather than another word, and of one with two letters swapped."""


def meaning_keys(keys: Iterable[str]) -> dict[str, str]:
    """Return what each name of a column probably means; those that are one have the same.

    Parameters
    ----------
    keys
        All names of the column without case, white space and Unicode form (`spellings.spelling_key`).

    Examples
    --------
    >>> meaning_keys(["yes", "y", "no", "1", "cases", "caf\u00e9", "class01", "class-1", "1o"])["class01"]
    'class1'
    >>> meaning_keys(["female", "m", "f"]), meaning_keys(["f", "t"])
    ({'female': 'female', 'm': 'male', 'f': 'female'}, {'f': 'f', 't': 't'})
    """
    folded = {key: _folded(key) for key in keys}
    folded = _with_digits(folded)
    names = set(folded.values())
    short = {name for name in names if len(name) == 1 and name.isalpha()} - _UNKNOWN
    has_other_numbers = any(_NUMBER.fullmatch(name) for name in names - {"0", "1"})
    meanings: dict[str, str] = {}
    for words, forms in _MEANINGS:
        if names.isdisjoint(words):
            continue
        meanings |= words
        if short <= forms.keys():
            meanings |= {form: word for form, word in forms.items() if not (form.isdigit() and has_other_numbers)}
        else:
            meanings |= {form: word for form, word in forms.items() if len(form) > 1}
    return {key: meanings.get(name, name) for key, name in folded.items()}


def _folded(key: str) -> str:
    """Return a name without accents, letters of other scripts, zeros in front of numbers, hyphens beside them, and its plural."""
    text = _in_latin(key)
    text = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    text = _HYPHEN.sub("", text)
    for letter, digit in _LETTERS_IN_NUMBERS:
        text = letter.sub(digit, text)
    return _singular(_ZEROS.sub("", text))


def _in_latin(key: str) -> str:
    """Return a name in Latin letters if all of its other letters look like these."""
    if key.isascii():
        return key
    text = key.translate(_LATIN)
    for candidate in (text, text.translate(_CAPITALS)):
        if all("LATIN" in unicodedata.name(letter, "") for letter in candidate if letter.isalpha()):
            return candidate
    return key


def letters_of_other_scripts(name: str) -> str:
    """Return the letters of a name that only look like Latin ones, as a note in messages; empty if there are none.

    Examples
    --------
    >>> letters_of_other_scripts("\u0410B"), letters_of_other_scripts("caf\u00e9")
    ('; CYRILLIC CAPITAL LETTER A', '')
    """
    if name.isascii() or _in_latin(name.casefold()) == name.casefold():
        return ""
    others = [
        unicodedata.name(letter) for letter in name if letter.isalpha() and "LATIN" not in unicodedata.name(letter, "")
    ]
    return f"; {', '.join(dict.fromkeys(others))}"


def _singular(text: str) -> str:
    """Return a word without the ending of its plural."""
    if not re.search(r"[^\W\d_]{4}$", text):
        return text
    if text.endswith("ies") and len(text) > 5:
        return f"{text[:-3]}y"
    return text[:-1] if text.endswith("s") and not text.endswith(("ss", "us", "is")) else text


def _with_digits(folded: dict[str, str]) -> dict[str, str]:
    """Read the letters o and l as digits in a column of numbers, or of numbers but for these."""
    others = {name for name in folded.values() if not _NUMBER.fullmatch(name)}
    as_digits = {name: name.translate(_AS_DIGITS) for name in others}
    if not others or len(folded) - len(others) < 2 or not all(_NUMBER.fullmatch(name) for name in as_digits.values()):
        return folded
    return {key: as_digits.get(name, name) for key, name in folded.items()}


def misspellings(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the frequent class that each rare class is, but for one letter.

    A letter is replaced within a word of five letters or more, is missing or too many within one, or two letters of a word of four
    or more are swapped. The first letter is not another one, as *atypical* is no misspelt *typical*, nor is the last replaced.

    Parameters
    ----------
    counts
        Samples of each class.

    Examples
    --------
    >>> misspellings({"sick": 30, "sikc": 1, "healthy": 40, "helthy": 2, "group A": 20, "group B": 2})
    {'sikc': 'sick', 'helthy': 'healthy'}
    >>> misspellings({"typical": 30, "atypical": 2, "stage II": 20, "stage III": 1})
    {}
    """
    frequent = [name for name, n in counts.items() if n >= FREQUENT]
    rare = [name for name, n in counts.items() if n <= RARE]
    misspelt = {}
    for name in rare if len(frequent) * len(rare) < 1e5 else []:
        meant = [other for other in frequent if counts[other] >= TIMES_RARER * counts[name] and _is_typo(name, other)]
        if len(meant) == 1:
            misspelt[name] = meant[0]
    return misspelt


def _is_typo(name: str, meant: str) -> bool:
    """Return whether one word of a name is another one but for one letter."""
    if abs(len(name) - len(meant)) > 1:
        return False
    pairs = list(zip(words := _TOKEN.findall(name), meant_words := _TOKEN.findall(meant), strict=False))
    different = [(word.casefold(), other.casefold()) for word, other in pairs if word.casefold() != other.casefold()]
    return len(words) == len(meant_words) and len(different) == 1 and _differ_by_a_letter(*different[0])


def _differ_by_a_letter(word: str, meant: str) -> bool:
    if not (word.isalpha() and meant.isalpha()):
        return False
    longest = max(len(word), len(meant))
    start = next((i for i, (a, b) in enumerate(zip(word, meant, strict=False)) if a != b), min(len(word), len(meant)))
    if len(word) != len(meant):
        longer, shorter = (word, meant) if len(word) > len(meant) else (meant, word)
        is_inside = 0 < start < len(longer) - 1 or longer[start] == longer[start - 1]
        return longest >= _SHORTEST and start > 0 and is_inside and longer[start + 1 :] == shorter[start:]
    if word[start + 2 :] == meant[start + 2 :] and word[start : start + 2] == meant[start : start + 2][::-1]:
        return longest >= _SHORTEST_SWAPPED
    return longest >= _SHORTEST and 0 < start < len(word) - 1 and word[start + 1 :] == meant[start + 1 :]
