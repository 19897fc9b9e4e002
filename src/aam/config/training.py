"""How a model is trained: epochs and batches, the optimiser, and the pre-trained model that it starts from."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from aam.config.base import config, flag_of
from aam.config.options import ANY_HEAD, GIVEN, IN_MODEL, IN_TRAINING, OPTIMISER, TRAINING, TRANSFER, Topic, only_with


@config
class OptimisationConfig:
    """The optimiser and its learning rate."""

    topic: ClassVar[Topic] = OPTIMISER
    is_network_only: ClassVar[bool] = True

    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    """Optimiser of the weights. adamw; sgd: with Nesterov's --momentum, needs a larger --lr (0.01 to 0.1); muon: steps of the
    weight matrices of transformers are made orthogonal, all else is adamw, for the same --lr."""
    lr: Annotated[float, Field(gt=0, le=100), IN_TRAINING] = 3e-4
    """Peak learning rate."""
    find_lr: bool = False
    """Find the learning rate before training, in place of --lr. Rates from 1e-6 to 1 are tried on training batches, 100 steps
    in all, and the one at which the loss falls most steeply is taken. Draws plots/find_lr.png."""
    momentum: Annotated[float, Field(ge=0, lt=1), only_with(optimizer="sgd")] = 0.9
    """Momentum of --optimizer sgd."""
    weight_decay: Annotated[float, Field(ge=0, le=1000)] = 0.01
    """Decoupled weight decay of matrices; biases and norms have none."""
    schedule: Literal["cosine", "restarts", "one-cycle", "plateau", "constant"] = "cosine"
    """Course of the learning rate after the warm-up. cosine: falls to zero over the run; restarts: in --cycles equal parts,
    each from the peak; one-cycle: rises and falls along cosines from 1/25 of the peak to nearly nothing; plateau: without
    warm-up, a half whenever the validation loss has not become better for --plateau-epochs; constant."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of all steps in which the learning rate rises to its peak; 0.3 is usual with one-cycle."""
    cycles: Annotated[int, Field(ge=2), only_with(schedule="restarts")] = 3
    """Equal parts of --schedule restarts."""
    plateau_epochs: Annotated[int, Field(ge=1), only_with(schedule="plateau")] = 3
    """Epochs without a better validation loss after which --schedule plateau halves the learning rate. Should be well below
    --patience."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Validate, choose and keep the exponential moving average of the weights over the steps in place of the weights
    themselves. It reaches back over about 1 / (1 − this) steps: 0.99 suits runs of some hundred steps, 0.999 of some thousand;
    in the first steps it reaches back over a tenth of those done. None: the weights of the last step."""
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""

    @model_validator(mode="after")
    def _one_says_the_rate(self) -> "OptimisationConfig":
        if self.find_lr and self.lr != OptimisationConfig.lr:
            raise ValueError(f"--find-lr finds what --lr {self.lr:g} says: leave one of them out.")
        return self


_DRAWN = only_with(
    "{flag} has no effect on {other}, which says what is held out: leave it out.",
    split=("stratified", "random", "grouped"),
)

_COLUMNS = only_with(
    "{flag} has no effect without {needed}: leave it out.", categorical_columns=GIVEN, numeric_columns=GIVEN
)

DEFAULT_BATCH_SIZE = 8

DEFAULT_PLOT_SAMPLES = 1000


@config
class TrainingConfig(OptimisationConfig):
    """How a model is trained."""

    topic: ClassVar[Topic] = TRAINING

    epochs: Annotated[int, Field(ge=1), IN_TRAINING] = 50
    """Most passes over the training samples; early stopping may end sooner."""
    samples_per_epoch: Annotated[int, Field(ge=2)] | None = None
    """Training samples in an epoch; the next epoch takes the next ones, until all were seen. None: all. For large studies, to
    validate more often than once in a pass over all samples."""
    batch_size: Annotated[Annotated[int, Field(ge=1)] | Literal["auto"] | None, IN_TRAINING] = None
    """Samples per step; auto: as many as memory holds; None: 8, or by --max-memory-gb. With that option it is at most this
    many, or None as many as fit. Distances are learned between the samples of a batch, so pre-training needs at least 2. auto:
    the most, up to --target-effective-batch-size, of which the costliest batch fits into memory with some to spare: on a GPU by
    trying, on a CPU by the estimate of --max-memory-gb, which is then a limit, too. The number is written into config.yaml, and
    --resume keeps it."""
    max_memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Compose batches so that the estimated memory of a step stays within this many GB (10⁹ bytes). That is weights, gradients,
    optimiser and activations, beside the program (about 0.5 GB) and the study. Batches then differ in their number of samples:
    the estimate counts their distinct ASVs and their richest sample. A sample too large for it is trained on alone. Much memory
    makes few, large batches: pass --batch-size as well to limit them."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] | None = None
    """Batches whose gradients are averaged before each optimiser step. Distances are learned within each batch only. None: 1, or
    what --target-effective-batch-size asks for."""
    target_effective_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Samples per optimiser step, reached by accumulating the gradients of as many batches as come nearest to it. None: of one
    batch, or of --gradient-accumulation-steps."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Epochs without a better --best-metric after which training stops."""
    best_metric: str = "loss"
    """Number of the validation that says which epoch is the best and when to stop. It is named as in TensorBoard without
    validation/: target_r2, target_mae, target_auroc or unweighted-unifrac_r2, for example; its direction is known. loss: the
    loss of the target, in pre-training the weighted sum of all. A name that the run does not have is refused with a list of
    those it has."""
    validation_plot_samples: Annotated[int, Field(ge=1), ANY_HEAD] = DEFAULT_PLOT_SAMPLES
    """Points in each picture of the validation predictions, drawn from all of them with equal chances. Scores and confusion
    matrices are of all predictions."""
    attention_plots: bool = False
    """Draw what the model attends to among the ASVs of the first validation batch whenever validation improves, to plots/ and
    TensorBoard. Changes no number. 'aam explain --attention' writes the weights of all layers of a trained model."""
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed", "64-true"] = "auto"
    """Arithmetic of training. auto: bf16-mixed (weights in single precision, products in half) where the GPU or CPU multiplies it
    faster, else 32-true. A run repeats to the bit only in the same arithmetic: name one to compare machines."""
    attn_implementation: Literal["sdpa", "flash", "mem_efficient", "math"] = "sdpa"
    """Kernel of attention. sdpa: the fastest that PyTorch has for the case; flash (on a GPU, half precision without padding) and
    mem_efficient (on a GPU) never hold the A × A weights of a set of A positions; math holds them, and all that leads to them, for
    the backward pass. One that the machine lacks is replaced by sdpa, and said. Changes results in the last digits only."""
    compile: bool = False
    """Compile the ASV encoder with torch.compile: fewer passes over memory, after a minute or so of compiling. On a CPU it
    needs a C++ compiler. Changes results in the last digits only."""
    num_workers: Annotated[int, Field(ge=0)] | None = None
    """Processes that prepare batches while the model trains; changes no result. 0: the model's own. None: 0 on a CPU, whose
    cores are busy, and up to 8 with a GPU."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1), _DRAWN, ANY_HEAD] = 0.2
    """Share of the samples held out, where --split is random, stratified or grouped."""
    seed: Annotated[int, Field(ge=0, lt=2**63), IN_TRAINING, ANY_HEAD] = 0
    """Fixes the split, initial weights, order of samples, rarefaction, masking, dropout."""

    @model_validator(mode="after")
    def _one_says_how_many_batches_are_accumulated(self) -> "TrainingConfig":
        if self.gradient_accumulation_steps is not None and self.target_effective_batch_size is not None:
            raise ValueError("--target-effective-batch-size chooses --gradient-accumulation-steps: pass one of them.")
        wanted, size = self.target_effective_batch_size, self.batch_size
        if wanted is not None and isinstance(size, int) and wanted < size:
            raise ValueError(
                f"--target-effective-batch-size {wanted} is less than one batch of --batch-size {size}: raise it."
            )
        return self

    @property
    def most_samples(self) -> int | None:
        """Most samples of a batch; None for as many as fit into --max-memory-gb."""
        assert self.batch_size != "auto", "settled before"
        return DEFAULT_BATCH_SIZE if self.batch_size is None and self.max_memory_gb is None else self.batch_size


_OF_THE_BASE = ("layer_decay", "unfreeze_epochs")


@config
class StartConfig:
    """What pre-training begins with."""

    topic: ClassVar[Topic] = TRANSFER

    pretrained: Annotated[Path | None, IN_MODEL] = None
    """Directory of an earlier 'aam pretrain' to go on from, on this study. Its shape replaces the options of the model, and its
    weights the random ones. So a model of a large public study learns the ASVs of your own, without labels, in fewer epochs.
    None: start from random weights."""


@config
class TransferConfig:
    """Start from a pre-trained model."""

    topic: ClassVar[Topic] = TRANSFER
    is_network_only: ClassVar[bool] = True

    pretrained: Annotated[Path | None, IN_MODEL, ANY_HEAD] = None
    """Directory of 'aam pretrain' to start from; its shape replaces that of the model's options. None: start from random
    weights."""
    freeze_base: bool = False
    """Keep the pre-trained part as it is and train the heads only: fast, and safer on few samples."""

    head_lr: Annotated[float, Field(gt=0, le=100)] | None = None
    """Peak learning rate of the heads. None: --lr. Heads begin with random weights: on a pre-trained base, ten times --lr is
    usual."""
    category_lr: Annotated[Annotated[float, Field(gt=0, le=100)] | None, _COLUMNS] = None
    """Peak learning rate of what --categorical-columns and --numeric-columns add: vectors of categories, and how they meet the
    microbes. None: as the heads. A category that few samples have is in few steps, and may need a higher one."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor on the learning rate from each block of the base to the block below it. Below 1, 0.8 for example, what is nearer
    to the nucleotides, and more general, changes less."""
    unfreeze_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs in which only the heads learn, before the base joins them block by block. After them the uppermost block joins,
    after as many again the next below, and so on. 0: all learn from the start. Blocks that are not reached within --epochs stay
    as they were."""

    @model_validator(mode="after")
    def _nothing_to_freeze(self) -> "TransferConfig":
        if self.freeze_base and self.pretrained is None:
            raise ValueError("--freeze-base keeps pre-trained weights: pass --pretrained DIRECTORY as well.")
        if self.unfreeze_epochs and self.pretrained is None:
            raise ValueError(
                "--unfreeze-epochs lets a pre-trained base rest at first: pass --pretrained DIRECTORY as well."
            )
        moves_the_base = [flag_of(name) for name in _OF_THE_BASE if getattr(self, name) != getattr(type(self), name)]
        if self.freeze_base and moves_the_base:
            raise ValueError(f"--freeze-base leaves nothing to {' and '.join(moves_the_base)}: leave out one of them.")
        return self
