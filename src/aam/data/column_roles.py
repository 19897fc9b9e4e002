"""Whether a metadata column that can be learned is worth it, by its name and values: what a microbiologist would ask first."""

import re
from collections.abc import Collection
from itertools import pairwise

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_PARTS = {"train", "validation", "test"}
_FOLDS = re.compile(r"\d+")
_OF_A_RUN = {
    "run", "runs", "lane", "plate", "batch", "primer", "primers", "barcode", "barcodes", "adapter", "linker",
    "library", "platform", "instrument", "sequencer", "sequencing", "sequenced", "extraction", "extracted", "kit",
    "lot", "reads", "spots", "bases", "bytes", "mbases", "mbytes", "center", "centre", "submission", "accession",
    "biosample", "bioproject", "assaytype", "loaddate", "releasedate", "publicationdate", "submissiondate",
    "createdate", "uploaddate", "rundate", "wellid", "wellnumber", "wellposition", "insertsize", "avglength",
}  # fmt: skip
_DATES = {
    "date", "dates", "timestamp", "epoch",
}  # fmt: skip
_NAMES = {
    "id", "ids", "identifier", "description", "title", "summary", "studyid", "sampleid", "subjectid", "patientid",
    "participantid", "hostid", "donorid", "projectid", "anonymizedname",
}  # fmt: skip
_BEARERS = (
    "sample", "subject", "patient", "participant", "individual", "host", "donor", "study", "project", "experiment",
    "animal",
)  # fmt: skip
_LABELS = (
    "id", "number", "num", "no", "name", "code",
)  # fmt: skip
_BEARER_NAMES = {bearer + label for bearer in _BEARERS for label in _LABELS}
_CASES = {
    "case", "cases", "control", "controls", "patient", "patients", "healthy", "diseased",
}  # fmt: skip
_EXPECTED = {
    "age", "sex", "gender", "bmi", "disease", "diagnosis", "status", "health", "healthy", "site", "habitat",
    "environment", "biome", "material", "tissue", "diet", "delivery", "feeding", "treatment", "antibiotic",
    "antibiotics", "phenotype", "genotype", "severity", "stage", "weight", "ph", "temperature", "salinity",
    "moisture", "depth",
}  # fmt: skip

LEAST = 2
"""Rank of columns of which nothing is expected."""


def doubt_of(name: str, distinct: Collection[str]) -> str | None:
    """Say what a column probably is instead of a target; None for one that may be a target.

    Examples
    --------
    >>> [doubt_of(name, ["1", "2"]) for name in ("MBases_l", "host_subject_id", "BMI", "Emotional_well_being")]
    ['facts of sequencing or processing', 'names or descriptions of samples, subjects or studies', None, None]
    """
    words = _words(name)
    if (words == {"split"} and _PARTS.issuperset(distinct)) or (
        words == {"fold"} and all(map(_FOLDS.fullmatch, distinct))
    ):
        return "parts of a split (--split-file)"
    if words & _OF_A_RUN:
        return "facts of sequencing or processing"
    if words & (_NAMES | _BEARER_NAMES):
        return "names or descriptions of samples, subjects or studies"
    return "dates" if words & _DATES else None


def rank_of(name: str, distinct: Collection[str]) -> int:
    """Rank targets: 0 for classes that tell cases from controls, 1 for what is often asked of microbes, `LEAST` for the rest.

    Examples
    --------
    >>> rank_of("Subject", ["Patient", "Control"]), rank_of("age_days", ["1", "2"]), rank_of("trajectory", ["a", "b"])
    (0, 1, 2)
    """
    if any(_words(value) & _CASES for value in distinct):
        return 0
    return 1 if _words(name) & _EXPECTED else LEAST


def _words(name: str) -> set[str]:
    """Give the words of a name, and each two that follow each other as one, in lower case."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return {*words, *map("".join, pairwise(words))}
