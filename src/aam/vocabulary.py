"""The nucleotide alphabet: which letter is which token."""

PAD = 0

NUCLEOTIDES = "ACGT"
"""Letters that a masked position can be; their tokens are 1 to 4."""

AMBIGUOUS = 5
"""Any IUPAC ambiguity code: R, Y, S, W, K, M, B, D, H, V and N."""

MASK = 6

SIZE = 7

FIRST_NUCLEOTIDE = 1

AMBIGUITY_CODES = "RYSWKMBDHVN"

TOKEN_OF_LETTER = (
    {letter: FIRST_NUCLEOTIDE + i for i, letter in enumerate(NUCLEOTIDES)}
    | {"U": FIRST_NUCLEOTIDE + NUCLEOTIDES.index("T")}
    | dict.fromkeys(AMBIGUITY_CODES, AMBIGUOUS)
)
"""Token of each accepted upper-case letter; RNA's U is read as T."""
