"""Read one lineage: prefixes of ranks, confidences in brackets, and the words by which taxonomies say that a taxon is unknown."""

import re
from collections.abc import Sequence
from functools import lru_cache

_PREFIX = re.compile(
    r"([A-Za-z]{1,2})(?:_(\d+))?(?:__|:(?!:))"
)  # k__, d__, sk__, d: of SINTAX, or D_0__ of early SILVA releases

_RANK_OF_PREFIX = {"d": 0, "sk": 0, "k": 0, "p": 1, "c": 2, "o": 3, "f": 4, "g": 5, "s": 6}

_WIDER = ("d", "sk")
"""Prefixes of domains, beside which a kingdom is no rank of ours."""

RANK_OF_NAME = {
    "domain": 0, "superkingdom": 0, "kingdom": 0, "phylum": 1, "division": 1, "class": 2, "order": 3, "family": 4, "genus": 5,
    "species": 6, "rank1": 0, "rank2": 1, "rank3": 2, "rank4": 3, "rank5": 4, "rank6": 5, "rank7": 6,
}  # fmt: skip
"""Number of each rank by the names of columns that hold it."""

_SPECIES = 6

_CONFIDENCE = re.compile(r"\s?\(\s*(\d{1,3}(?:\.\d+)?)\s*%?\)$")

_UNKNOWN = re.compile(
    r"""
    |na|n/?a|nan|null|none|other|undefined|undetermined|unresolved|unidentified(\s.*)?|unassigned(\s.*)?|unclassified(\s.*)?
    |.*\sunclassified|unknown(\s.*)?|uncultured(\s.*)?|.*\suncultured|(.*\s)?metagenome|ambiguous\staxa|not\sassigned
    |no\s(blast\s)?hit|bacterium|archaeon|organism|eukaryote
    """,
    re.VERBOSE | re.IGNORECASE,
)

_INCERTAE_SEDIS = re.compile(
    r"(?!.*\bfamily [ivx]+\b).*incertae sedis", re.IGNORECASE
)  # 'Family XIII Incertae Sedis' is one family

_SOME_SPECIES = re.compile(r".*\ssp\.?", re.IGNORECASE)

_ODD_SIGNS = re.compile(r"[\s_]+")


@lru_cache(maxsize=1 << 16)
def is_placeholder(name: str) -> bool:
    """Return whether a name, without its prefix, says that the taxon is unknown, as SILVA, UNITE, Greengenes, RDP and mothur write.

    Examples
    --------
    >>> [is_placeholder(name) for name in ("", "uncultured bacterium", "gut_metagenome", "Bacilli_unclassified", "Incertae_Sedis")]
    [True, True, True, True, True]
    >>> [is_placeholder(name) for name in ("UBA1819", "[Mogibacteriaceae]", "Chloroplast", "Family XIII Incertae Sedis")]
    [False, False, False, False]
    """
    plain = _ODD_SIGNS.sub(" ", name.strip("\"' _-[]()")).strip()
    return _UNKNOWN.fullmatch(plain) is not None or _INCERTAE_SEDIS.fullmatch(plain) is not None


def split_lineage(lineage: str) -> tuple[str | None, ...]:
    """Split a lineage at its semicolons, or at bars, or at commas between prefixes, and remove prefixes and confidences.

    A taxon with the prefix of a rank takes the place of that rank, also where ranks between are left out.

    Returns
    -------
    Taxa from the highest rank: None for an unknown rank above a known one, and no unknown ranks at the end.

    Examples
    --------
    >>> split_lineage("k__Bacteria; p__Firmicutes; c__; o__Clostridiales; f__")
    ('Bacteria', 'Firmicutes', None, 'Clostridiales')
    >>> split_lineage("Bacteria(100);Firmicutes(97);Firmicutes_unclassified(97);")
    ('Bacteria', 'Firmicutes')
    >>> split_lineage("d:Bacteria(1.00),p:Firmicutes(0.98),g:Bacillus(0.6)")
    ('Bacteria', 'Firmicutes', None, None, None, 'Bacillus')
    >>> split_lineage("k__Bacteria|p__Firmicutes"), split_lineage("Bacteria|Firmicutes")
    (('Bacteria', 'Firmicutes'), ('Bacteria', 'Firmicutes'))
    >>> split_lineage("Unassigned")
    ()
    """
    parts = _without_confidences(_parts(lineage))
    matches = [_PREFIX.match(part) for part in parts]
    names = [part[match.end() :].strip() if match else part for part, match in zip(parts, matches, strict=True)]
    ranks = _ranks(matches)
    if ranks is None:
        return known_taxa(names)
    by_rank = dict(zip(ranks, names, strict=True))
    return known_taxa([by_rank.get(rank, "") for rank in range(max(ranks, default=-1) + 1)])


def known_taxa(names: Sequence[str]) -> tuple[str | None, ...]:
    """Return the names of taxa of consecutive ranks: None for a placeholder above a known one, and none at the end.

    Examples
    --------
    >>> known_taxa(["Bacteria", "Firmicutes", "Incertae_Sedis", "NA", "NA", "Bacillus", "Bacillus_sp"])
    ('Bacteria', 'Firmicutes', None, None, None, 'Bacillus')
    """
    taxa: list[str | None] = [None if is_placeholder(name) else name.strip("\"' ") for name in names]
    if len(taxa) > _SPECIES and _SOME_SPECIES.fullmatch(_ODD_SIGNS.sub(" ", taxa[_SPECIES] or "")):
        taxa[_SPECIES] = None  # a species of the genus, and nobody knows which
    while taxa and taxa[-1] is None:
        taxa.pop()
    return tuple(taxa)


def without_prefix(name: str) -> str:
    """Return the name of a taxon without the prefix of its rank."""
    match = _PREFIX.match(name)
    return name[match.end() :].strip() if match else name


def has_prefixes(lineage: str) -> bool:
    """Return whether a text begins with the prefix of a rank."""
    match = _PREFIX.match(lineage.strip("\"' "))
    return match is not None and (match[1].lower() in _RANK_OF_PREFIX or match[2] is not None)


def _parts(lineage: str) -> list[str]:
    text = lineage.strip("\"' ")
    for sign in ",|" if ";" not in text else "":
        parts = text.split(sign)
        has_prefixes_alone = all(_PREFIX.match(part.strip()) for part in parts if part.strip())
        if len(parts) > 1 and (has_prefixes_alone or sign == "|"):
            return [part.strip() for part in parts if part.strip() or not has_prefixes_alone]
    return [part.strip() for part in text.split(";")]


def _without_confidences(parts: list[str]) -> list[str]:
    """Remove numbers in brackets, if most parts have one: no name of a taxon ends so, but a strain's might."""
    matches = [_CONFIDENCE.search(part) for part in parts]
    if 2 * sum(match is not None for match in matches) <= sum(map(bool, parts)):
        return parts
    return [part if match is None else part[: match.start()] for part, match in zip(parts, matches, strict=True)]


def _ranks(matches: Sequence[re.Match[str] | None]) -> list[int] | None:
    """Return the rank of each part by its prefix; None if these are no ranks in their order, so that the position counts."""
    letters = [match[1].lower() if match else "" for match in matches]
    if any(letter not in _RANK_OF_PREFIX for letter in letters) or any(match[2] for match in matches if match):
        return None
    has_domain = any(letter in _WIDER for letter in letters)
    ranks = [-1 if has_domain and letter == "k" else _RANK_OF_PREFIX[letter] for letter in letters]
    counted = [rank for rank in ranks if rank >= 0]
    return ranks if counted == sorted(set(counted)) and counted else None
