"""Which files ``aam inspect`` looks at."""

from pathlib import Path
from typing import Annotated

import tyro
from pydantic import model_validator

from aam.config._base import config
from aam.config.study import OutputDirectoryConfig


@config
class InspectConfig:
    """Say what files are, whether they fit together as a study, and which commands run on them.

    Example: aam inspect table.biom rep-seqs.fasta tree.nwk metadata.tsv

    Files are told apart by their content: feature tables, sequences, trees, taxonomies, metadata, distance matrices, QIIME 2
    artifacts of these, and directories of models and runs of aam. Nothing is changed. A file that cannot be read is reported
    with the others, and makes the exit code 2.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Files and directories to look at, in any order; of several of one kind, the first is taken for the study."""
    output_dir: Path | None = None
    """Directory for the report as inspect.json, and samples.tsv with reads and ASVs of each sample; None: print only."""
    overwrite: bool = False
    """Replace an earlier report in that directory, which the first line of its config.yaml marks; other files stay."""

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
