"""The networks in a trained model: one, the members of an ensemble, or the encoder that a kernel head reads."""

from aam.errors import ModelError
from aam.inference.ensemble_predictor import EnsemblePredictor
from aam.inference.kernel import KernelPredictor
from aam.inference.network import NetworkPredictor
from aam.inference.predictor import Predictor

_HAVE = "networks and ensembles of networks do, which 'aam train --head network' makes"


def networks_of(predictor: Predictor, wanted: str) -> list[NetworkPredictor]:
    """Return the networks of a model.

    Parameters
    ----------
    predictor
        A network, an ensemble, or a kernel head, of which the pre-trained encoder is returned.
    wanted
        What is wanted of them, for the message: ``attention``.

    Returns
    -------
    list of NetworkPredictor
        One, or the members of an ensemble.

    Raises
    ------
    ModelError
        The model is a kernel head without a pre-trained encoder.
    """
    if isinstance(predictor, EnsemblePredictor):
        return predictor.members
    if isinstance(predictor, NetworkPredictor):
        return [predictor]
    assert isinstance(predictor, KernelPredictor), "there are three kinds of predictors"
    if predictor.model.base_model is None:
        raise ModelError(
            f"{predictor.name} is a kernel head without a pre-trained encoder, and has no {wanted}: {_HAVE}, and kernel heads of "
            "'aam train --pretrained' have that of their encoder."
        )
    return [NetworkPredictor(predictor.model.base_model, predictor.description, predictor.options)]


def differentiable_networks(predictor: Predictor) -> list[NetworkPredictor]:
    """Return the networks whose outputs have gradients.

    Parameters
    ----------
    predictor
        A network with a target, or an ensemble.

    Returns
    -------
    list of NetworkPredictor
        One, or the members of an ensemble.

    Raises
    ------
    ModelError
        The model is a kernel head, or a pre-trained encoder without a target.
    """
    if isinstance(predictor, KernelPredictor):
        raise ModelError(f"{predictor.name} is a kernel head, and has no gradients: {_HAVE}.")
    if predictor.description.target is None:
        raise ModelError(
            "This is a pre-trained encoder without a target, and no output has gradients: fine-tune it with "
            "'aam train --pretrained'."
        )
    return networks_of(predictor, "gradients")
