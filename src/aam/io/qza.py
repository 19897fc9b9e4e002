"""Read QIIME 2 artifacts without QIIME 2: describe an artifact, and unpack the file that an option needs."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from aam.errors import InputError, name_some
from aam.io.archive import Archive, ArchiveError, is_zip, open_archive, read_head

_FIRST_WITH_CHECKSUMS = 5  # archive version, of QIIME 2 2018.11

_CHECKSUMS = {"checksums.md5": "md5", "checksums.sha512": "sha512"}

_PROPERTIES = re.compile(r"\s*%\s*Properties\(.*\)(?=\]?$)")

_VERSION = re.compile(r"QIIME 2\narchive: (\d+)(\.\d+)?\nframework: [^\n]+\n?")

_CHECKSUM_LINE = re.compile(r"([0-9a-fA-F]+)  (.+)")

_VISUALISATION = "Visualization"


@dataclass(frozen=True)
class ArtifactKind:
    """Artifacts that an option takes.

    Attributes
    ----------
    files
        File under ``data/`` to read, for each semantic type that the option takes; the first is the usual type.
    advice
        Advice for the user, for types that the option does not take but that are often passed.
    """

    files: Mapping[str, str]
    advice: Mapping[str, str] = field(default_factory=dict)


_UNTRANSFORMED = "Pass the FeatureTable[Frequency] from which it was made"

TABLE = ArtifactKind(
    {"FeatureTable[Frequency]": "feature-table.biom"},
    {
        f"FeatureTable[{name}]": _UNTRANSFORMED
        for name in ("RelativeFrequency", "PresenceAbsence", "Composition", "Balance")
    },
)

SEQUENCES = ArtifactKind(
    {"FeatureData[Sequence]": "dna-sequences.fasta", "FeatureData[RNASequence]": "rna-sequences.fasta"},
    {"FeatureData[AlignedSequence]": "Pass the FeatureData[Sequence] that was aligned, without gaps"},
)

TREE = ArtifactKind(
    {"Phylogeny[Rooted]": "tree.nwk"},
    {"Phylogeny[Unrooted]": "Pass --root midpoint, or --root outgroup with its names, to root it"},
)

ANY_TREE = ArtifactKind({"Phylogeny[Unrooted]": "tree.nwk", "Phylogeny[Rooted]": "tree.nwk"})
"""Of a tree that is rooted when it is read."""

TAXONOMY = ArtifactKind({"FeatureData[Taxonomy]": "taxonomy.tsv"})

DISTANCES = ArtifactKind({"DistanceMatrix": "distance-matrix.tsv"})

METADATA = ArtifactKind(
    {
        "ImmutableMetadata": "metadata.tsv",
        "SampleData[AlphaDiversity]": "alpha-diversity.tsv",
        "SampleData[DADA2Stats]": "stats.tsv",
        "FeatureData[Taxonomy]": "taxonomy.tsv",
    }
)

_OPTIONS = {"--table": TABLE, "--sequences": SEQUENCES, "--tree": TREE, "--distances": DISTANCES}
"""Artifacts by option, for advice on files that were swapped."""


@dataclass(frozen=True)
class ArtifactInfo:
    """Description of an artifact by its own metadata.

    Attributes
    ----------
    uuid
        Identifier that is unique among all artifacts.
    semantic_type, format
        Type of the data, and format of the files.
    has_checksums
        Whether the artifact holds checksums, which are correct; artifacts older than QIIME 2 2018.11 have none.
    """

    uuid: str
    semantic_type: str
    format: str
    has_checksums: bool

    @property
    def refusal(self) -> str:
        """Reason why no option takes the artifact, as the end of a sentence."""
        if self.semantic_type == _VISUALISATION:
            return _explain_type(self.semantic_type, TABLE, "")
        base_type = _PROPERTIES.sub("", self.semantic_type)
        advice = next((kind.advice[base_type] for kind in _OPTIONS.values() if base_type in kind.advice), None)
        return f"holds {self.semantic_type}, which no option of aam takes." + (f" {advice}." if advice else "")


def describe_artifact(path: Path, error: type[InputError], option: str) -> ArtifactInfo:
    """Read the description of an artifact, and verify all of its data.

    Parameters
    ----------
    path
        The artifact.
    error
        Class of the errors to raise.
    option
        Option that names the file, for messages.

    Raises
    ------
    InputError
        As the child ``error``: the file is damaged, no artifact, or made to do harm.
    """
    try:
        with open_archive(path) as archive:
            semantic_type, file_format = _describe(archive)
            algorithm, expected = _read_checksums(archive)
            _verify(archive, algorithm, expected)
            return ArtifactInfo(archive.root, semantic_type, file_format, expected is not None)
    except ArchiveError as problem:
        raise error(f"{option} {path} {problem}") from None


def option_of(semantic_type: str) -> str | None:
    """Return the first option that takes a semantic type, None if no option does.

    Examples
    --------
    >>> option_of("Phylogeny[Rooted % Properties('midpoint')]")
    '--tree'
    """
    base_type = _PROPERTIES.sub("", semantic_type)
    kinds = {**_OPTIONS, "--taxonomy": TAXONOMY, "--metadata": METADATA}
    return next((option for option, kind in kinds.items() if base_type in kind.files), None)


@contextmanager
def payload(path: Path, kind: ArtifactKind, error: type[InputError], option: str) -> Iterator[Path]:
    """Create a context with a file to read: the payload of an artifact, in a private temporary directory, or the file itself.

    The payload is unpacked block by block, and is complete and verified when the context begins. Messages on the payload should
    name ``path``.

    Parameters
    ----------
    path
        The artifact or other file.
    kind
        Artifacts that the option takes.
    error
        Class of the errors to raise.
    option
        Option that names the file, for messages.

    Yields
    ------
    Path of the file to read.

    Raises
    ------
    InputError
        As the child ``error``: the file cannot be read; or it is an artifact of a type that does not fit, a visualisation,
        another zip archive, damaged, or made to do harm.
    """
    if not is_zip(read_head(path, error, option)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="aam-") as folder:
        try:
            with open_archive(path) as archive:
                file = _unpack(archive, kind, option, Path(folder))
        except ArchiveError as problem:
            raise error(f"{option} {path} {problem}") from None
        except OSError as reason:
            directory = f" in {tempfile.gettempdir()}" if reason.filename else ""
            raise error(
                f"{option} {path} cannot be unpacked{directory}: {reason.strerror or reason}. Free space or set TMPDIR."
            ) from None
        yield file


def _unpack(archive: Archive, kind: ArtifactKind, option: str, folder: Path) -> Path:
    """Unpack the file that the option reads into a folder, and verify the artifact."""
    semantic_type, file_format = _describe(archive)
    base_type = _PROPERTIES.sub("", semantic_type)
    if base_type not in kind.files:
        raise ArchiveError(_explain_type(semantic_type, kind, option))
    name = f"data/{kind.files[base_type]}"
    if name not in archive.names:
        raise ArchiveError(
            f"holds no {name}, which {semantic_type} needs (its format is {file_format}). Export it again."
        )
    checksums = _read_checksums(archive)
    target = folder / kind.files[base_type]
    _verify(archive, *checksums, copies={name: target})
    return target


def _verify(
    archive: Archive, algorithm: str, expected: dict[str, str] | None, copies: Mapping[str, Path] | None = None
) -> None:
    """Compute the checksums of the data and compare them; unpack the files of ``copies`` on the way."""
    payloads = [name for name in archive.names if name.startswith("data/")]
    digests = {
        name: archive.digest(name, algorithm, (copies or {}).get(name))
        for name in [*payloads, "metadata.yaml", "VERSION"]
    }
    if expected is not None:
        _compare(digests, expected)


def _describe(archive: Archive) -> tuple[str, str]:
    """Read and check ``metadata.yaml``; return the semantic type and the format."""
    try:
        values = yaml.safe_load(archive.read("metadata.yaml", 2**16))
        uuid, semantic_type, file_format = (values[key] for key in ("uuid", "type", "format"))
    except (yaml.YAMLError, ValueError, KeyError, TypeError, RecursionError):
        raise ArchiveError("is no QIIME 2 artifact: its metadata.yaml does not give uuid, type and format.") from None
    if uuid != archive.root:
        raise ArchiveError(
            f"is no valid artifact: its root directory is {archive.root!r}, but its uuid {uuid!r}. Export it again."
        )
    if semantic_type != _VISUALISATION and not (isinstance(semantic_type, str) and isinstance(file_format, str)):
        raise ArchiveError(
            f"is no valid artifact: its type {semantic_type!r} or format {file_format!r} is no name. Export it again."
        )
    return semantic_type, file_format


def _explain_type(semantic_type: str, kind: ArtifactKind, option: str) -> str:
    """Return why an option does not take a type, and what to do, as the end of a sentence."""
    if semantic_type == _VISUALISATION:
        return "is a QIIME 2 visualisation (.qzv), which holds pictures of data. Pass the artifact (.qza) that it was made from."
    base_type = _PROPERTIES.sub("", semantic_type)
    needed = next(iter(kind.files))
    others = [name for name, accepted in _OPTIONS.items() if base_type in accepted.files and name != option]
    default_advice = f"That belongs to {others[0]}" if others else f"Pass an artifact of type {needed}"
    return f"holds {semantic_type}, but {needed} is needed. {kind.advice.get(base_type, default_advice)}."


def _read_checksums(archive: Archive) -> tuple[str, dict[str, str] | None]:
    """Return the algorithm, and the checksum of each file or None for artifacts of early versions, which have none."""
    version = _VERSION.fullmatch(archive.read("VERSION", 2**12).decode("latin-1"))
    if version is None:
        raise ArchiveError("is no valid artifact: its VERSION is malformed. Export it again.")
    present = [name for name in _CHECKSUMS if name in archive.names]
    if not present:
        if int(version[1]) >= _FIRST_WITH_CHECKSUMS:
            raise ArchiveError("lacks its checksums, so damage could not be noticed. Copy or export it again.")
        return "md5", None
    lines = archive.read(present[0], 2**26).decode("utf-8", "replace").splitlines()
    matches = [_CHECKSUM_LINE.fullmatch(line) for line in lines]
    return _CHECKSUMS[present[0]], {match[2]: match[1].lower() for match in matches if match}


def _compare(digests: Mapping[str, str], expected: Mapping[str, str]) -> None:
    missing = [name for name in expected if name.startswith("data/") and name not in digests]
    different = [name for name, digest in digests.items() if expected.get(name) != digest]
    if missing or different:
        raise ArchiveError(
            f"is damaged or was changed: the checksums do not fit {name_some([*missing, *different])}. Copy or export it again."
        )
