"""Options of the commands beside training: inspect, simulate, prepare, cache and demo."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, ClassVar

import tyro
from pydantic import Field, model_validator

from aam.config.base import config
from aam.config.options import GIVEN, STUDY, Topic, only_with
from aam.config.study import (
    CacheDirConfig,
    OutputDirectoryConfig,
    StudyConfig,
    check_root,
)


@config
class InspectConfig:
    """Describe files: what they are, whether they fit together as a study, and which commands run on them.

    Example: aam inspect table.biom rep-seqs.fasta tree.nwk metadata.tsv

    Files are told apart by their content: feature tables, sequences, trees, taxonomies, metadata, distance matrices, QIIME 2
    artifacts of these, and directories of models and runs of aam. Nothing is changed. A file that cannot be read is reported
    with the others, and makes the exit code 2.
    """

    command: ClassVar[str] = "inspect"

    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Files and directories to look at, in any order; of several of one kind, the first is taken for the study."""
    output_dir: Path | None = None
    """Directory for the report as inspect.json, and samples.tsv with reads and ASVs of each sample. None: print only."""
    overwrite: bool = False
    """Replace an earlier report in that directory, which the first line of its config.yaml marks. Other files stay."""

    @model_validator(mode="after")
    def _something_to_do(self) -> "InspectConfig":
        if not self.files:
            raise ValueError("There is nothing to inspect: name at least one file, as in aam inspect table.biom.")
        if self.overwrite and self.output_dir is None:
            raise ValueError("--overwrite is about the report in --output-dir: pass both or neither.")
        return self

    @property
    def output(self) -> OutputDirectoryConfig:
        """Where the report goes, if it goes anywhere."""
        assert self.output_dir is not None
        return OutputDirectoryConfig(output_dir=self.output_dir, overwrite=self.overwrite)


@config
class SimulationConfig:
    """A study with a known truth. Time and memory grow with --samples × --features."""

    samples: Annotated[int, Field(ge=8)] = 200
    """Samples in the table."""
    features: Annotated[int, Field(ge=20)] = 500
    """ASVs in the table. A sample holds about twice the square root of this many: 45 of 500, 140 of 5,000."""
    sequence_length: Annotated[int, Field(ge=20)] = 150
    """Nucleotides of each ASV's sequence."""
    mean_depth: Annotated[int, Field(ge=100)] = 10_000
    """Mean reads per sample; single samples differ several-fold. Deeper samples show more rare ASVs."""
    subjects: Annotated[int, Field(ge=2)] | None = None
    """People the samples were taken from. None: a quarter of --samples. Samples of one person resemble each other, so fewer
    people leave less to learn from."""
    signal: Annotated[float, Field(ge=0)] = 1.0
    """Strength of the tie between clades and the columns age and disease, as a factor on the clades' log fold
    changes; 0: the columns cannot be predicted."""
    batch_effect: Annotated[float, Field(ge=0)] = 0.5
    """Standard deviation of the log fold change that a sequencing run puts on the ASVs it distorts; 0: runs
    are alike."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Number that fixes the study. The same seed and options give the same one."""

    @model_validator(mode="after")
    def _subjects_have_samples(self) -> "SimulationConfig":
        if self.subjects is not None and self.subjects > self.samples:
            raise ValueError(
                f"--subjects {self.subjects} is more than --samples {self.samples}: "
                "each person gives at least one sample."
            )
        return self

    @property
    def n_subjects(self) -> int:
        """Number of people the samples were taken from."""
        return self.samples // 4 if self.subjects is None else self.subjects


@config
class SimulateConfig:
    """Make a study whose truth is known: which clades drive which metadata column.

    Example: aam simulate --output-dir study --samples 200 --features 500 --seed 0

    Writes table.biom, sequences.fasta, tree.nwk, taxonomy.tsv, metadata.tsv (age, disease, subject, batch and columns that
    carry nothing) and truth.tsv (which ASVs drive which column).
    """

    command: ClassVar[str] = "simulate"

    output: OutputDirectoryConfig
    simulation: SimulationConfig = field(default_factory=SimulationConfig)


@config
class PrepareConfig:
    """Build the study on disk ahead of time, so that training and prediction open it at once.

    Example: aam prepare --table table.biom --sequences rep-seqs.fasta --tree tree.nwk

    Every command does this by itself when it sees a study for the first time. Ahead of time it is worth it for a large study:
    before a queue of jobs, or on a machine without a GPU. The study goes into the cache, by its content.
    """

    command: ClassVar[str] = "prepare"
    topic: ClassVar[Topic] = STUDY

    study: StudyConfig
    tree: Path | None = None
    """Rooted phylogenetic tree with the features as tips, to be prepared as well."""
    root: Annotated[tuple[str, ...], only_with(tree=GIVEN)] = ()
    """Where to root the tree, as for 'aam train': midpoint, or outgroup with the names of its tips; none: its own root."""

    @model_validator(mode="after")
    def _root_is_one(self) -> "PrepareConfig":
        check_root(self.root)
        return self


@config
class CacheConfig(CacheDirConfig):
    """List, limit or clear what aam keeps on disk between runs: studies, trees and the vectors of their ASVs.

    Example: aam cache --limit-gb 20

    Without options, lists the entries, the least recently used first: they go first when the limit is reached. Whatever is removed
    is made again when it is needed.
    """

    command: ClassVar[str] = "cache"

    limit_gb: Annotated[float, Field(ge=0)] | None = None
    """Size in gigabytes beyond which the least recently used entries are removed, now and from now on; 50 unless set."""
    clear: bool = False
    """Remove all entries."""


@config
class DemoConfig:
    """Simulate a study, pre-train, learn a column, predict and evaluate: the whole of aam in a few minutes on a laptop.

    Example: aam demo --output-dir demo
    """

    command: ClassVar[str] = "demo"

    output: OutputDirectoryConfig
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Number that fixes the simulated study and everything after it."""
