"""Operations by formula against PyTorch's own count of what runs."""

import dataclasses

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from aam.config.model import tiny
from aam.data.batching.batches import Masking
from aam.models.build import build_encoder
from flops import flops_of, padded_flops_of, peak_flops
from helpers.studies import make_batch, make_study
from padded_reference import PaddedReference, pair_tokens
from pretraining_step import OBJECTIVES

CONFIG = dataclasses.replace(tiny(), max_bp=11, patch_size=3, attention_layers=2, ffn_ratio=3.0)


def counted(run, with_gradients=False):
    gradients = torch.set_grad_enabled(with_gradients)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), gradients:
        run()
    return counter.get_total_flops()


@pytest.fixture
def batch():
    return make_batch(make_study(), masking=Masking(nuc_mask_ratio=0.3, nuc_asv_fraction=0.5))


def test_operations_of_the_model_are_those_that_run(batch):
    model = build_encoder(CONFIG, OBJECTIVES)

    def asvs():
        model.asv_encoder(batch.tokens)
        model.asv_encoder.at_positions(batch.masked.tokens, batch.masked.columns)

    def whole():
        model.active_objectives()["nucleotides"](model(batch), batch)

    flops = flops_of(CONFIG, batch)

    assert flops.asv_encoder == counted(asvs)
    assert flops.asv_encoder + flops.above == counted(whole)


def test_operations_of_the_reference_are_those_that_run(batch):
    reference = PaddedReference(build_encoder(CONFIG, OBJECTIVES), token_limit=17).eval()

    def whole():
        reference.nucleotide_logits(reference(pair_tokens(batch), batch).nucleotides)

    flops = padded_flops_of(CONFIG, batch, token_limit=17)

    assert flops.asv_encoder + flops.above == counted(whole)


@pytest.mark.parametrize("part", ["asv_encoder", "above"])
def test_what_is_recomputed_is_counted(batch, part):
    runs = []
    for recomputes in (True, False):
        model = build_encoder(dataclasses.replace(CONFIG, gradient_checkpointing=recomputes), OBJECTIVES)
        vectors = torch.randn(len(batch.tokens), CONFIG.embedding_dim, requires_grad=True)

        def step(model=model, vectors=vectors):
            if part == "above":
                model(
                    dataclasses.replace(batch, asv_vectors=vectors, masked=None)
                ).samples.sample_vectors.sum().backward()
            else:
                masked = model.asv_encoder.at_positions(batch.masked.tokens, batch.masked.columns)
                (model.asv_encoder(batch.tokens).sum() + masked.sum()).backward()

        runs.append(counted(step, with_gradients=True))

    assert getattr(flops_of(CONFIG, batch), f"{part}_again") == runs[0] - runs[1]


def test_a_step_counts_three_passes_and_what_is_recomputed(batch):
    flops = flops_of(CONFIG, batch)

    assert flops.of_step == 3 * (flops.asv_encoder + flops.above)
    assert flops.of_recomputing_step == flops.of_step + flops.asv_encoder_again + flops.above_again
    assert (
        flops_of(dataclasses.replace(CONFIG, gradient_checkpointing=False), batch).of_recomputing_step == flops.of_step
    )


def test_the_peak_is_measured():
    assert peak_flops(torch.float32, 16, repeats=2) > 0
