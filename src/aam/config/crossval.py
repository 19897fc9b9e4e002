"""Options of comparing methods over folds, each trained anew."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from aam.config.base import config, written_after
from aam.config.commands import LearningConfig
from aam.config.explain import ExplanationConfig
from aam.config.options import FOLDS, IN_FOLDS, ONE_OF, Topic, only_with

Baseline = Literal["guess", "depth", "linear", "unifrac", "random-forest", "extra-trees", "gradient-boosting"]

_DRAWN = only_with("{flag} {value} has no effect on --fold-file, whose folds are fixed: leave one out.", fold_file=None)


@config
class FoldsConfig:
    """Which samples are held out in turn, and what is compared on them."""

    topic: ClassVar[Topic] = FOLDS

    folds: Annotated[Annotated[int, Field(ge=2)] | None, IN_FOLDS, ONE_OF] = None
    """Parts, alike in target (and of whole groups, with --group-column), each of which is held out once. Repeat 0 has those of 'aam
    train --split k-fold' with the same --seed."""
    fold_file: Annotated[Path | None, IN_FOLDS, ONE_OF] = None
    """Table of folds in place of --folds, with tab-separated columns 'sample-id' and 'fold'. Every sample with a value must be
    listed. The folds.tsv of an earlier run, if it had one repeat, is such a file."""
    repeats: Annotated[int, Field(ge=1), _DRAWN, IN_FOLDS] = 1
    """Times that samples are divided afresh, by the seeds --seed, --seed + 1 and so on."""
    group_column: Annotated[str | None, IN_FOLDS] = None
    """Column of the subject (host, site, plot): its samples are in one fold. Also the unit of the 95 % intervals."""
    baselines: Annotated[tuple[Baseline, ...] | None, IN_FOLDS] = None
    """Classical methods to compare with; None: all, but unifrac only with --tree. guess: median or shares of classes; depth:
    the number of reads alone, which no other should owe its score to; linear: ridge or logistic on centred log-ratios; unifrac:
    a kernel machine (needs --tree); random-forest, extra-trees and gradient-boosting: trees on shares. For 700 samples, a fold
    takes seconds, of forests and boosting up to a minute."""
    aam: Annotated[bool, IN_FOLDS] = True
    """Whether aam itself is compared; --no-aam scores the baselines alone. It is trained with the other options."""
    explain: Annotated[bool, only_with(aam=True)] = False
    """Say which organisms drive the predictions, each held-out sample explained by the model that never saw it. Results go to
    explanation/, as of 'aam explain', of the first repeat, with which further ones are compared; --tree and --taxonomy make clades
    and names."""

    @model_validator(mode="after")
    def _one_source_of_folds(self) -> "FoldsConfig":
        if (self.folds is None) == (self.fold_file is None):
            raise ValueError("Pass exactly one of --folds and --fold-file.")
        if not self.aam and self.baselines == ():
            raise ValueError("--no-aam without --baselines leaves nothing to evaluate: pass one of them.")
        return self


@config
class CrossvalConfig(LearningConfig):
    """Train aam and classical baselines anew in each fold, and compare them on the samples that were held out.

    Up to 1,000 samples with a value aam learns by kernel machines, more by the network (--head chooses): options marked (network
    only) do nothing for the kernel head.

    Example: aam crossval --folds 5 --repeats 3 --group-column subject --table table.biom --sequences rep-seqs.fasta --tree tree.nwk
    --metadata metadata.tsv --metadata-column age --output-dir comparison

    All that is learned is learned from the training part of a fold: features, transforms, classes, scaling, hyper-parameters, and
    when to stop. Writes summary.tsv, summary.png, summary.md, results.tsv, predictions.tsv and folds.tsv. 'aam evaluate --folds' is
    another spelling; with --model in place of --folds, 'aam evaluate' scores a trained model.
    """

    command: ClassVar[str] = "evaluate"
    """Its files are those of ``aam evaluate --folds``, its other spelling, and either replaces those of the other."""

    folds: FoldsConfig = field(metadata=written_after("label"))
    explanation: ExplanationConfig = field(default_factory=ExplanationConfig)

    @property
    def network_sections(self) -> tuple[Any, ...]:
        """Options that only networks read; lineages name what is explained of any head."""
        sections = super().network_sections
        return tuple(one for one in sections if one is not self.taxonomy) if self.folds.explain else sections

    @model_validator(mode="after")
    def _baselines_have_what_they_need(self) -> Self:
        if "unifrac" in (self.folds.baselines or ()) and self.distance.tree is None:
            raise ValueError("--baselines unifrac needs --tree.")
        return self
