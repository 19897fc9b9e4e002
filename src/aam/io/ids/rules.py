"""Find the rule by which ids of one file became those of another: zeros that were lost, a suffix, another case, and others."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

Key = Callable[[str], Iterable[str]]

_TRIED = 300
"""Ids by which the rule is chosen; it is then counted on all."""

_QUOTES = "\"'`\u2018\u2019\u201c\u201d"

_ANNOTATION = re.compile(r"[;\s][A-Za-z_]+=[^;\s]*")  # ;size=12; and ;sample=S1 of vsearch

_CENTROID = re.compile(r"^centroid=(?=[^;=\s]+;)")  # of --consout of vsearch

_COUNT = re.compile(r"[|\t]\d+(?:[|\t].*)?$")  # |12 of mothur

_OF_READS = re.compile(
    r"(?:_S\d+)?(?:_L\d{3})?(?:[._-]R[12](?:_\d{3})?|[._-][12](?=\.f))?(?:\.(?:fastq|fq|fasta|fa|bam))?(?:\.gz)?$",
    re.IGNORECASE,
)

_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")

_SEPARATORS = re.compile(r"[\s._\-/:]+")

_NOT_OF_R = re.compile(r"[^A-Za-z0-9._]")

_CUTS = re.compile(r"[\s|;:,._/-]+")

_PATTERNS = ("longer", "shorter", "after", "before", "prefix", "suffix")

_FEWEST_OF_PATTERN = 2
"""Pairs without which a common prefix or suffix is chance."""

_FEWEST_LETTERS = 4
"""Letters that are left when all but letters and digits is passed over, so that two ids without letters may be compared."""


@dataclass(frozen=True)
class Rule:
    """Rule by which ids of the table are found in another file.

    Attributes
    ----------
    name
        Key of the rule in `RULES`.
    says
        Difference between the two, as the end of "they differ in".
    pairs
        Pairs of an id of the table, and that of the file which it is by this rule.
    n_wanted
        Number of ids that were looked for.
    """

    name: str
    says: str
    pairs: list[tuple[str, str]]
    n_wanted: int


def _one(function: Callable[[str], str]) -> Key:
    return lambda name: (function(name),)


def _trimmed(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).strip().strip(_QUOTES).split())


def without_annotation(name: str) -> str:
    """Return a name without the annotations that vsearch, usearch and mothur put behind it.

    Examples
    --------
    >>> [without_annotation(name) for name in ("OTU1;size=12;", "centroid=OTU1;seqs=3", "OTU1|12", "a|b", "OTU1;")]
    ['OTU1', 'OTU1', 'OTU1', 'a|b', 'OTU1']
    """
    return _COUNT.sub("", _ANNOTATION.sub("", _CENTROID.sub("", name))).rstrip(";")


def _as_of_r(name: str) -> str:
    """Return a name as ``make.names`` of R writes it."""
    dotted = _NOT_OF_R.sub(".", name)
    return dotted if re.match(r"[A-Za-z]|\.(?!\d)", dotted) else f"X{dotted}"


def _letters_and_digits(name: str) -> str:
    key = "".join(letter for letter in _ZEROS.sub("", _trimmed(name)).casefold() if letter.isalnum())
    has_both = any(letter.isalpha() for letter in key) and any(letter.isdigit() for letter in key)
    return key if has_both or len(key) >= _FEWEST_LETTERS else name


def _begins(name: str) -> Iterator[str]:
    return (name[: cut.start()] for cut in _CUTS.finditer(name) if cut.start())


def _ends(name: str) -> Iterator[str]:
    return (name[cut.end() :] for cut in _CUTS.finditer(name) if cut.end() < len(name))


def _same(name: str) -> tuple[str, ...]:
    return (name,)


RULES: dict[str, tuple[str, Key, Key]] = {
    "blanks": ("quotes or white space", _one(_trimmed), _one(_trimmed)),
    "annotation": ("an annotation such as ';size=12' or '|12'", _one(without_annotation), _one(without_annotation)),
    "case": ("upper and lower case", _one(str.casefold), _one(str.casefold)),
    "zeros": ("zeros in front of numbers", _one(lambda name: _ZEROS.sub("", name)), _one(lambda name: _ZEROS.sub("", name))),
    "case and zeros": (
        "upper and lower case, and zeros in front of numbers", _one(lambda name: _ZEROS.sub("", name).casefold()),
        _one(lambda name: _ZEROS.sub("", name).casefold()),
    ),
    "separators": (
        "dots, underscores, hyphens or spaces", _one(lambda name: _SEPARATORS.sub("_", name)),
        _one(lambda name: _SEPARATORS.sub("_", name)),
    ),
    "R": ("what make.names of R did to them (an X in front, dots)", _one(_as_of_r), _one(_as_of_r)),
    "reads": (
        "the end of a name of reads, such as '_R1' or '_S12_L001'", _one(lambda name: _OF_READS.sub("", name) or name),
        _one(lambda name: _OF_READS.sub("", name) or name),
    ),
    "reads and separators": (
        "the end of a name of reads, and dots, underscores, hyphens or spaces",
        _one(lambda name: _SEPARATORS.sub("_", _OF_READS.sub("", name) or name)),
        _one(lambda name: _SEPARATORS.sub("_", _OF_READS.sub("", name) or name)),
    ),
    "longer": ("what follows the id", _same, _begins),
    "shorter": ("what follows the id", _begins, _same),
    "after": ("what stands in front of the id", _same, _ends),
    "before": ("what stands in front of the id", _ends, _same),
    "letters": ("case, zeros or punctuation", _one(_letters_and_digits), _one(_letters_and_digits)),
}  # fmt: skip
"""Rules by name, those that change least first: what differs, and the forms of an id of the table, and of one of the file."""


def lossless_pairs(wanted: Iterable[str], found: Iterable[str], *, is_tree: bool = False) -> list[tuple[str, str]]:
    """Pair ids that differ only in what programs add and that changes no id: quotes, white space, annotations such as ``;size=12``.

    Parameters
    ----------
    wanted, found
        Ids that the other file lacks, on either side.
    is_tree
        Whether ``found`` are tips of a tree, in which an underscore stands for a space, too.

    Examples
    --------
    >>> lossless_pairs(["OTU_1", "OTU2"], ["'OTU 1'", "OTU2;size=3;", "OTU_3"], is_tree=True)
    [('OTU_1', "'OTU 1'"), ('OTU2', 'OTU2;size=3;')]
    """

    def form(name: str) -> tuple[str, ...]:
        plain = _trimmed(without_annotation(name))
        return (plain.replace("_", " ") if is_tree else plain,)

    return _pairs(list(wanted), list(found), form, form)


def as_in_table(table_ids: Sequence[str], found: Sequence[str], *, is_tree: bool = False) -> Sequence[str]:
    """Return ids of a file, those that differ from one of the table as in `lossless_pairs` as the table has them.

    Examples
    --------
    >>> as_in_table(["OTU1", "OTU2"], ["OTU2;size=3;", "OTU1", "OTU9;size=1;"])
    ['OTU2', 'OTU1', 'OTU9;size=1;']
    """
    present = set(found)
    missing = [name for name in table_ids if name not in present]
    if not missing:
        return found
    in_table = set(table_ids)
    others = [name for name in found if name not in in_table]
    name_of = {other: name for name, other in lossless_pairs(missing, others, is_tree=is_tree)}
    return [name_of.get(name, name) for name in found] if name_of else found


def likely_rule(wanted: Sequence[str], found: Iterable[str]) -> Rule | None:
    """Find the rule by which most of the wanted ids, which the other file lacks, are among those that it has.

    A pair counts if no other id has the same form. Of rules that explain about as many, the one that changes least is returned.

    Parameters
    ----------
    wanted
        Ids of the table that the other file lacks.
    found
        Ids of the other file that the table lacks.

    Examples
    --------
    >>> rule = likely_rule(["S1", "S2"], ["S001", "S002", "S010"])
    >>> rule.says, rule.pairs
    ('zeros in front of numbers', [('S1', 'S001'), ('S2', 'S002')])
    >>> likely_rule(["S1", "S2"], ["A", "B"]) is None
    True
    """
    names, others = list(dict.fromkeys(wanted)), list(dict.fromkeys(found))
    if not names or not others:
        return None
    step = max(1, len(names) // _TRIED)
    tried, best, most = names[::step], None, 0
    for name, rule in (*RULES.items(), *_affixes(names, others)):
        n_pairs = len(_pairs(tried, others, *rule[1:]))
        fewest = min(len(others), _FEWEST_OF_PATTERN) if name in _PATTERNS else 1
        if n_pairs >= fewest and n_pairs > 1.1 * most:
            best, most = (name, rule), n_pairs
            if most == len(tried):
                break
    if best is None:
        return None
    name, (says, of_wanted, of_found) = best
    return Rule(name, says, _pairs(names, others, of_wanted, of_found), len(names))


def _pairs(wanted: Sequence[str], found: Sequence[str], of_wanted: Key, of_found: Key) -> list[tuple[str, str]]:
    """Pair the ids that have one form in common, and no other id has it."""
    forms: dict[str, str | None] = {}
    for name in wanted:
        for form in set(of_wanted(name)):
            forms[form] = None if form in forms else name
    partners: dict[str, str | None] = {}
    for other in found:
        for form in of_found(other):
            if form in forms and partners.get(form, other) is not None:
                partners[form] = other if partners.get(form, other) == other else None
    by_name: dict[str, list[str]] = {}
    for form, other in partners.items():
        name = forms[form]
        if name is not None and other is not None:
            by_name.setdefault(name, []).append(other)
    pairs = [(name, others[0]) for name in wanted if len(others := list(dict.fromkeys(by_name.get(name, [])))) == 1]
    times = Counter(other for _, other in pairs)
    return [(name, other) for name, other in pairs if times[other] == 1]


def _affixes(wanted: Sequence[str], found: Sequence[str]) -> Iterator[tuple[str, tuple[str, Key, Key]]]:
    """Yield the prefix and the suffix that most pairs of the first few ids differ in, without a mark between it and the id."""
    prefixes: Counter[tuple[str, str]] = Counter()
    suffixes: Counter[tuple[str, str]] = Counter()
    for name in wanted[:: max(1, len(wanted) // 8)][:8]:
        for other in found:
            longer, shorter, side = (other, name, "found") if len(other) > len(name) else (name, other, "wanted")
            if shorter and len(longer) > len(shorter):
                if longer.endswith(shorter):
                    prefixes[longer[: -len(shorter)], side] += 1
                if longer.startswith(shorter):
                    suffixes[longer[len(shorter) :], side] += 1
    for kind, counts in (("prefix", prefixes), ("suffix", suffixes)):
        for (affix, side), _ in counts.most_common(1):
            says = f"{affix!r} {'in front of' if kind == 'prefix' else 'behind'} the id"
            cut = str.removeprefix if kind == "prefix" else str.removesuffix
            if side == "found":
                yield kind, (says, _same, _cut(cut, affix))
            else:
                yield kind, (says, _cut(cut, affix), _same)


def _cut(cut: Callable[[str, str], str], affix: str) -> Key:
    def forms(name: str) -> tuple[str, ...]:
        short = cut(name, affix)
        return (short,) if short != name else ()

    return forms
