"""The ASV encoder: chunks, recomputation, masks and padding change no number."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from aam import vocabulary
from aam.config.model import ModelConfig
from aam.models.asv_encoder import ASVEncoder

CONFIG = ModelConfig(
    embedding_dim=8, attention_heads=2, attention_layers=2, ffn_ratio=1.5, dropout=0.0, max_bp=6, patch_size=2,
    asv_chunk_size=100, gradient_checkpointing=False,
)  # fmt: skip
EQUAL = torch.tensor([[1, 2, 3, 4, 1], [4, 4, 2, 5, 3], [2, 1, 1, 3, 4]])
RAGGED = torch.tensor([[1, 2, 3, 4, 1], [4, 4, 2, 0, 0], [2, 0, 0, 0, 0]])
COLUMNS = torch.tensor([[0, 4], [2, 1], [3, 0]])
TOKENS = pytest.mark.parametrize("tokens", [EQUAL, RAGGED], ids=["equal lengths", "ragged"])


def encoder(**changes):
    torch.manual_seed(2)
    model = ASVEncoder(dataclasses.replace(CONFIG, **changes)).double()
    for parameter in model.transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def outputs_and_gradients(model, tokens):
    inside = (tokens != vocabulary.PAD).sum(dim=1, keepdim=True) > COLUMNS  # what is masked elsewhere is never scored
    vectors, positions = model(tokens), model.at_positions(tokens, COLUMNS)[inside]
    (vectors.square().sum() + positions.pow(3).sum()).backward()
    return [vectors, positions, *(parameter.grad for parameter in model.parameters())]


@TOKENS
@pytest.mark.parametrize(
    "changes",
    [
        {"asv_chunk_size": 1},
        {"asv_chunk_size": 2},
        {"gradient_checkpointing": True},
        {"asv_chunk_size": 2, "gradient_checkpointing": True},
    ],
    ids=str,
)
def test_chunks_and_recomputation_change_neither_vectors_nor_gradients(tokens, changes):
    plain = outputs_and_gradients(encoder(), tokens)

    other = outputs_and_gradients(encoder(**changes), tokens)

    for first, second in zip(plain, other, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("chunk_size", "sizes"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (256, [3])])
def test_no_more_than_the_chunk_size_is_encoded_at_a_time(chunk_size, sizes):
    model, seen = encoder(asv_chunk_size=chunk_size), []
    model.transformer.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))

    model(EQUAL)

    assert seen == sizes


def test_recomputation_happens_in_the_backward_pass_only():
    model, calls = encoder(gradient_checkpointing=True), []
    model.transformer.blocks[0].attention.register_forward_hook(lambda module, inputs, output: calls.append(1))

    with torch.no_grad():
        model(EQUAL)
    without_gradient = len(calls)
    model(EQUAL).sum().backward()

    assert (without_gradient, len(calls)) == (1, 1 + 2)


def test_recomputation_keeps_the_inputs_of_blocks_and_little_else():
    kept = {}
    for recomputes in (True, False):
        model, seen = encoder(gradient_checkpointing=recomputes), {}
        own = {parameter.data_ptr() for parameter in model.parameters()}

        def note(tensor, seen=seen):
            seen[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            model(EQUAL)
        kept[recomputes] = sum(size for pointer, size in seen.items() if pointer not in own)

    n_patches, bytes_per_number = 9, 8
    input_of_block = n_patches * CONFIG.embedding_dim * bytes_per_number
    assert kept[True] < (CONFIG.attention_layers + 4) * input_of_block < kept[False] / 3


def test_equal_lengths_without_a_mask_equal_those_with_one():
    model = encoder()
    together = model(
        torch.cat([F.pad(EQUAL, (0, 1)), torch.tensor([[1, 1, 2, 1, 3, 3]])])
    )  # the last makes all need a mask

    torch.testing.assert_close(model(EQUAL), together[:3], rtol=0, atol=1e-12)


def test_padding_at_the_end_changes_nothing():
    model = encoder()
    longer = F.pad(RAGGED, (0, 1), value=vocabulary.PAD)

    torch.testing.assert_close(model(longer), model(RAGGED), rtol=0, atol=1e-12)
    torch.testing.assert_close(model(RAGGED[1:2, :3]), model(RAGGED)[1:2], rtol=0, atol=1e-12)


def test_an_asv_does_not_depend_on_the_others_of_its_chunk():
    model = encoder()

    alone = torch.cat([model(RAGGED[i : i + 1]) for i in (2, 0, 1)])

    torch.testing.assert_close(alone, model(RAGGED)[[2, 0, 1]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_vectors_at_positions_are_those_of_their_patches(patch_size):
    model = encoder(patch_size=patch_size)
    patches, _ = model._read(RAGGED)

    chosen = model.at_positions(RAGGED, COLUMNS)

    expected = torch.stack([patches[row, columns // patch_size] for row, columns in enumerate(COLUMNS)])
    inside = (RAGGED != vocabulary.PAD).sum(dim=1, keepdim=True) > COLUMNS
    torch.testing.assert_close(chosen[inside], expected[inside], rtol=0, atol=1e-12)


def test_asvs_of_one_length_are_read_together_and_cut_to_it():
    model, seen = encoder(asv_chunk_size=1, patch_size=1), []
    model.transformer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1]))

    model(RAGGED)

    assert seen == [1, 3, 5]


def test_one_other_nucleotide_or_a_shifted_sequence_gives_another_vector():
    substituted = EQUAL[:1].clone()
    substituted[0, 2] = 4
    shifted = EQUAL[:1].roll(1, dims=1)

    vectors = encoder()(torch.cat([EQUAL[:1], substituted, shifted]))

    assert torch.pdist(vectors).min() > 1e-3


def test_a_sequence_of_padding_alone_is_still_a_number():
    assert torch.isfinite(encoder()(torch.tensor([[0, 0, 0], [1, 2, 0]]))).all()
