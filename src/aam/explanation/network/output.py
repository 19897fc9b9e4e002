"""The output of a network that is explained: a value in own units, or the log odds of a class."""

from dataclasses import dataclass

import torch
from torch import Tensor

from aam.batch import Batch
from aam.errors import ModelError
from aam.inference.network import NetworkPredictor
from aam.inference.predictor import target_of
from aam.labels.target import AnyTarget, JointTarget


@dataclass(frozen=True)
class Output:
    """One of the outputs of a network, as a differentiable function of the vectors of ASVs.

    Attributes
    ----------
    name
        Column of the value, or class.
    """

    name: str

    def __call__(self, network: NetworkPredictor, batch: Batch) -> Tensor:
        """Compute the output of each sample, float64 [B]: its value in own units, or the log odds of the class.

        Log odds are log p − log(1 − p), of the logits: they are not cut where p is nearly 0 or 1.
        """
        model = network.model
        outputs = network.outputs(batch, network.encode(batch))
        target = target_of(network, "The model")
        if target.task == "regression":
            values = model.target.in_own_units(outputs, batch)  # type: ignore[union-attr, operator]
            return values.reshape(batch.n_samples, -1)[:, _columns(target).index(self.name)]
        log_p = torch.log_softmax(outputs.double(), dim=1)
        number = target.classes.index(self.name)
        others = [other for other in range(log_p.shape[1]) if other != number]
        return log_p[:, number] - torch.logsumexp(log_p[:, others], dim=1)


def _columns(target: AnyTarget) -> list[str]:
    return list(target.columns) if isinstance(target, JointTarget) else [target.column]


def output_of(network: NetworkPredictor, name: str | None = None) -> Output:
    """Return an output of a network.

    Parameters
    ----------
    network
        Predictor of the network, which has a target.
    name
        Column of several, or class; None for the only column, or the second of two classes.

    Raises
    ------
    ModelError
        There is no such output, or there are several and none is named.
    """
    target = target_of(network, "The model")
    names = _columns(target) if target.task == "regression" else list(target.classes)
    if name is None and (len(names) == 1 or (len(names) == 2 and target.task != "regression")):
        return Output(names[-1])
    if name not in names:
        given = "no output is named" if name is None else f"there is no output {name!r}"
        raise ModelError(f"Gradients are of one output, and {given}: choose from {', '.join(map(repr, names))}.")
    return Output(name)
