"""How a model is trained."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aam.config._base import config
from aam.config.optimisation import OptimisationConfig

DEFAULT_BATCH_SIZE = 8
DEFAULT_PLOT_SAMPLES = 1000


@config
class TrainingConfig(OptimisationConfig):
    """How a model is trained."""

    epochs: Annotated[int, Field(ge=1)] = 50
    """Most passes over the training samples; early stopping may end sooner."""
    samples_per_epoch: Annotated[int, Field(ge=2)] | None = None
    """Training samples in an epoch; the next epoch takes the next ones, until all were seen. None: all. For large studies, to
    validate more often than once in a pass over all samples."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None
    """Samples per step; distances are learned between the samples of a batch, so pre-training needs at least 2. auto: the most, up
    to --target-effective-batch-size, of which the costliest batch fits into memory with some to spare: on a GPU by trying, on a CPU
    by the estimate of --max-memory-gb, which is then a limit, too. The number is written into config.yaml, and --resume keeps it.
    None: 8, or with --max-memory-gb as many as fit; with both options, at most this many."""
    max_memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Compose batches so that the estimated memory of a step stays within this many GB (10⁹ bytes): weights, gradients, optimiser
    and activations, beside the program (about 0.5 GB) and the study. Batches then differ in their number of samples: the estimate
    counts their distinct ASVs and their richest sample. A sample too large for it is trained on alone. Much memory makes few, large
    batches: pass --batch-size as well to limit them."""
    size_window: Annotated[int, Field(ge=1)] = 1
    """Batches' worth of shuffled samples that are sorted by their number of ASVs before they are cut into batches; 1: not at all.
    8 leaves less than half of the padding in attention among ASVs on a GPU (a CPU pads nothing), but makes the samples of a batch
    alike, and the model learns worse: worth it only where padding is what exhausts a GPU's memory."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] | None = None
    """Batches whose gradients are averaged before each optimiser step. Distances are learned within each batch only. None: 1, or
    what --target-effective-batch-size asks for."""
    target_effective_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Samples per optimiser step: accumulates the gradients of as many batches as come nearest to it. None: of one batch, or of
    --gradient-accumulation-steps."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Epochs without a better --best-metric after which training stops."""
    best_metric: str = "loss"
    """The validation's number that says which epoch is the best and when to stop, by its name in TensorBoard without validation/:
    target_r2, target_mae, target_auroc or unweighted-unifrac_r2, for example; its direction is known. loss: the loss of the
    target, in pre-training the weighted sum of all. A name that the run does not have is refused with a list of those it has."""
    validation_plot_samples: Annotated[int, Field(ge=1)] = DEFAULT_PLOT_SAMPLES
    """Points in each picture of the validation predictions, drawn from all of them with equal chances. Scores and confusion
    matrices are of all predictions."""
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed", "64-true"] = "auto"
    """Arithmetic of training. auto: bf16-mixed (weights in single precision, products in half) where the GPU or CPU multiplies it
    faster, else 32-true. A run repeats to the bit only in the same arithmetic: name one to compare machines."""
    attn_implementation: Literal["sdpa", "flash", "mem_efficient", "math"] = "sdpa"
    """Kernel of attention. sdpa: the fastest that PyTorch has for the case; flash (on a GPU, half precision without padding) and
    mem_efficient (on a GPU) never hold the A × A weights of a set of A positions; math holds them, and all that leads to them, for
    the backward pass. One that the machine lacks is replaced by sdpa, and said. Changes results in the last digits only."""
    compile: bool = False
    """Compile the ASV encoder with torch.compile (needs a C++ compiler on a CPU): fewer passes over memory, after a minute or so
    of compiling. Changes results in the last digits only."""
    num_workers: Annotated[int, Field(ge=0)] | None = None
    """Processes that prepare batches while the model trains; 0: the model's own. None: 0 on a CPU, whose cores are busy, and up to
    8 with a GPU. Changes no result."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the samples held out, where --split is random, stratified or grouped."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Fixes the split, the initial weights, the order of samples, rarefaction, masking and dropout."""

    @model_validator(mode="after")
    def _one_says_how_many_batches_are_accumulated(self) -> "TrainingConfig":
        if self.gradient_accumulation_steps is not None and self.target_effective_batch_size is not None:
            raise ValueError("--target-effective-batch-size chooses --gradient-accumulation-steps: pass one of them.")
        asked, size = self.target_effective_batch_size, self.batch_size
        if asked is not None and isinstance(size, int) and asked < size:
            raise ValueError(
                f"--target-effective-batch-size {asked} is less than one batch of --batch-size {size}: raise it."
            )
        return self

    @property
    def most_samples(self) -> int | None:
        """Most samples of a batch; None for as many as fit into --max-memory-gb."""
        assert self.batch_size != "auto", "settled before"
        return DEFAULT_BATCH_SIZE if self.batch_size is None and self.max_memory_gb is None else self.batch_size
