"""How weights move: the optimiser, and the learning rate over a run."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aam.config._base import config, refuse_without_effect


@config
class OptimisationConfig:
    """The optimiser and its learning rate."""

    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    """adamw; sgd: with Nesterov's --momentum, needs a larger --lr (0.01 to 0.1); muon: steps of the weight matrices of transformers
    are made orthogonal, all else is adamw, for the same --lr."""
    lr: Annotated[float, Field(gt=0, le=100)] = 3e-4
    """Peak learning rate."""
    find_lr: bool = False
    """Before training, try rates from 1e-6 to 1 on training batches, 100 steps in all, and train with the rate at which the loss
    falls most steeply, in place of --lr. Draws plots/find_lr.png."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of sgd."""
    weight_decay: Annotated[float, Field(ge=0, le=1000)] = 0.01
    """Decoupled weight decay of matrices; biases and norms have none."""
    schedule: Literal["cosine", "restarts", "one-cycle", "plateau", "constant"] = "cosine"
    """After the warm-up: cosine: falls to zero over the run; restarts: in --cycles equal parts, each from the peak; one-cycle:
    rises and falls along cosines from 1/25 of the peak to nearly nothing; plateau: without warm-up, a half whenever the validation
    loss has not become better for --plateau-epochs; constant."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of all steps in which the learning rate rises to its peak; 0.3 is usual with one-cycle."""
    cycles: Annotated[int, Field(ge=2)] = 3
    """Of --schedule restarts."""
    plateau_epochs: Annotated[int, Field(ge=1)] = 3
    """Of --schedule plateau; should be well below --patience."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Validate, choose and keep the exponential moving average of the weights over the steps in place of the weights themselves. It
    reaches back over about 1 / (1 − this) steps: 0.99 suits runs of some hundred steps, 0.999 of some thousand; in the first steps
    it reaches back over a tenth of those done. None: the weights of the last step."""
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""

    @model_validator(mode="after")
    def _each_has_an_effect(self) -> "OptimisationConfig":
        needs = {"momentum": ("optimizer", "sgd"), "cycles": ("schedule", "restarts")}
        refuse_without_effect(self, needs | {"plateau_epochs": ("schedule", "plateau")})
        if self.find_lr and self.lr != OptimisationConfig.lr:
            raise ValueError(f"--find-lr finds what --lr {self.lr:g} says: leave one of them out.")
        return self
