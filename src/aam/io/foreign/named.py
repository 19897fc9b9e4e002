"""Name texts of other programs that no option takes, and say how to convert them: NEXUS, hits, long tables, code of R."""

import re
from collections.abc import Sequence

from aam.io.foreign.loose_table import FEATURE_NAMES, SAMPLE_NAMES
from aam.io.foreign.printed import describe_printed
from aam.io.text_file import plain_name

NEXUS = "is a tree in NEXUS. Write it in Newick, in R: ape::write.tree(ape::read.nexus(FILE), 'tree.nwk') with the file's name."

_CODE = re.compile(r"structure\(|[\w.`]+\s*<-\s")

_CODE_OF_R = (
    "is code of R, as dput and dump write it. In R, write the data as text: write.table(as.matrix(x), 'x.tsv', sep = '\\t', "
    "quote = FALSE, col.names = NA)."
)

_HITS = (
    "is a list of hits ({kind}), of single reads and not of counts. Make a table: vsearch --usearch_global reads.fasta --db "
    "centroids.fasta --id 0.97 --otutabout table.tsv."
)

_NO_LINEAGES = (
    "is a list of hits ({kind}), which names sequences of a reference and no lineages. Make a taxonomy: vsearch --sintax "
    "sequences.fasta --db reference.fasta --tabbedout taxonomy.tsv --sintax_cutoff 0.8, or qiime feature-classifier."
)

_PROFILE = (
    "is a profile of MetaPhlAn, the shares of clades in metagenomes. aam reads counts of the sequences of one gene, and lineages "
    "of these: a table of the columns 'Feature ID' and 'Taxon', in which bars may divide the ranks."
)

_CLADE = re.compile(r"[a-z]__[^|]+\|[a-z]__")

_HEAD, _LOOKED_AT = 1 << 16, 40  # letters, and rows

_N_UC, _N_BLAST = 10, 12  # columns

_RECORDS = {"S", "H", "C", "N"}  # first cells of .uc

_ABUNDANCES = ("abundance", "count", "counts", "reads", "freq", "frequency", "value", "n")

_DISTANCES = ("freq", "value", "dist", "distances")

_PAIRS = (
    "is a list of pairs and their distances, as R makes of a matrix. Write the matrix itself: write.table(as.matrix(d), 'd.tsv', "
    "sep = '\\t', quote = FALSE, col.names = NA)."
)


def describe_named(rows: Sequence[Sequence[str]], text: str) -> str | None:
    r"""Say what a text of another program is that no option takes, and how to convert it.

    Parameters
    ----------
    rows
        Cells of its first lines.
    text
        Its beginning.

    Returns
    -------
    The end of a sentence that begins with the name of the file, and the advice; None for all other files.

    Examples
    --------
    >>> describe_named([], "#NEXUS\nbegin trees;")[:10]
    'is a tree '
    """
    if is_nexus(text):
        return NEXUS
    if _CODE.match(text):
        return _CODE_OF_R
    if _is_profile(text):
        return _PROFILE
    return describe_printed(text) or (_describe_rows(rows) if len(rows) > 1 else None)


def _describe_rows(rows: Sequence[Sequence[str]]) -> str | None:
    """Describe hits of a search, and long tables."""
    hits = _kind_of_hits(rows)
    if hits is not None:
        return _HITS.format(kind=hits)
    return _describe_long(rows[0], rows[1:])


def describe_no_taxonomy(rows: Sequence[Sequence[str]], text: str) -> str | None:
    """Say what a text that is given as a taxonomy is in truth, as `describe_named` does, and how to make a taxonomy."""
    hits = _kind_of_hits(rows[:_LOOKED_AT]) if rows else None
    if hits is not None:
        return _NO_LINEAGES.format(kind=hits)
    return _PROFILE if _is_profile(text) else None


def _kind_of_hits(rows: Sequence[Sequence[str]]) -> str | None:
    """Return what rows are that hold hits of a search; None for all others."""
    if all(len(row) == _N_UC and row[0] in _RECORDS for row in rows):
        return "a .uc file of vsearch or usearch"
    if all(len(row) == _N_BLAST and all(map(_is_number, row[2:])) and not _is_number(row[1]) for row in rows):
        return "of BLAST, or blast6out of vsearch"
    return None


def _is_profile(text: str) -> bool:
    """Return whether a text is a profile of MetaPhlAn: clades, whose ranks are divided by bars, with their abundances."""
    lines = text[:_HEAD].split("\n")[:_LOOKED_AT]
    names = [line.split("\t")[0] for line in lines if "\t" in line]
    has_header = text.startswith("#mpa_") or any(name.lstrip("#") == "clade_name" for name in names)
    return has_header and any(map(_CLADE.match, names))


def is_nexus(text: str) -> bool:
    r"""Return whether a text is in NEXUS.

    Examples
    --------
    >>> is_nexus("#NEXUS\n"), is_nexus("(A,B);")
    (True, False)
    """
    return text.lstrip()[:6].upper() == "#NEXUS"


def _describe_long(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str | None:
    """Describe a table with a row for each sample and feature, or for each pair of samples."""
    if any(len(row) != len(header) for row in rows):
        return None
    names = [plain_name(name) for name in header]
    is_text = [not any(_is_number(row[k]) for row in rows) for k in range(len(names))]
    sample = [k for k, name in enumerate(names) if name in SAMPLE_NAMES]
    feature = [k for k, name in enumerate(names) if name in FEATURE_NAMES and is_text[k]]
    number = [k for k, name in enumerate(names) if name in _ABUNDANCES and all(_is_number(row[k]) for row in rows)]
    if sample and feature and number:
        formula = f"{header[number[0]]} ~ {header[feature[0]]} + {header[sample[0]]}"
        return (
            "is a long table, with a row for each sample and feature, as psmelt of phyloseq makes it. Write it with a column for "
            f"each sample, in R, where x is the table: write.table(as.data.frame.matrix(xtabs({formula}, x)), 'x.tsv', "
            "sep = '\\t', quote = FALSE, col.names = NA)."
        )
    is_pairs = len(names) == 3 and names[2] in _DISTANCES and is_text == [True, True, False]
    return _PAIRS if is_pairs else None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
