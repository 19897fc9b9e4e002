"""What is hidden of a batch: how much, where, and that nothing else changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aam import vocabulary
from aam.batch import IGNORED
from aam.data.batching.masking import hide_pairs, mask_nucleotides
from aam.data.rarefaction import generator

SHARES = st.floats(0.01, 0.99)


def sequences(lengths, seed=0):
    """Give distinct random sequences, some letters ambiguous, padded to the longest."""
    tokens = np.random.default_rng(seed).integers(1, 6, size=(len(lengths), max(lengths)), dtype=np.uint8)
    tokens[np.arange(max(lengths)) >= np.array(lengths)[:, None]] = vocabulary.PAD
    return tokens


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), asvs=SHARES, ratio=SHARES, seed=st.integers(0, 999))
def test_masked_positions_and_labels_give_the_sequences_back(lengths, asvs, ratio, seed):
    tokens = sequences(lengths, seed)

    masked = mask_nucleotides(tokens, asvs, ratio, generator(seed, "test"))

    n_asvs, n_masked = max(1, round(asvs * len(tokens))), max(1, round(ratio * tokens.shape[1]))
    assert masked.columns.shape == masked.labels.shape == (n_asvs, n_masked)
    originals = [row.tolist() for row in tokens]
    for row, columns, labels in zip(masked.tokens.numpy(), masked.columns.numpy(), masked.labels.numpy(), strict=True):
        assert len(set(columns)) == n_masked
        restored, is_scored = row.copy(), labels != IGNORED
        assert (row[columns[is_scored]] == vocabulary.MASK).all()
        restored[columns[is_scored]] = labels[is_scored] + vocabulary.FIRST_NUCLEOTIDE
        restored[restored == vocabulary.MASK] = vocabulary.AMBIGUOUS  # what else was masked
        assert restored.tolist() in originals


def test_the_batchs_own_tokens_stay_as_they_were():
    tokens = sequences([5, 8, 3])
    before = tokens.copy()

    mask_nucleotides(tokens, 1.0, 0.5, generator(0, "test"))

    np.testing.assert_array_equal(tokens, before)


def test_padding_is_chosen_only_where_no_nucleotide_is_left():
    tokens = np.where(sequences([2, 4, 8]) > 0, 1, 0).astype(np.uint8)

    masked = mask_nucleotides(tokens, 1.0, 0.5, generator(0, "test"))

    assert (masked.labels != IGNORED).sum(dim=1).tolist() == [2, 4, 4]


def test_every_position_and_every_asv_is_chosen_equally_often():
    tokens = np.ones((4, 6), dtype=np.uint8) * np.arange(1, 5, dtype=np.uint8)[:, None]
    positions, asvs = np.zeros(6), np.zeros(4)

    for seed in range(1500):
        masked = mask_nucleotides(tokens, 0.5, 0.34, generator(seed, "test"))
        positions += np.bincount(masked.columns.numpy().ravel(), minlength=6)
        asvs += np.bincount(masked.labels.numpy()[:, 0], minlength=4)

    assert stats.chisquare(positions).pvalue > 0.01
    assert stats.chisquare(asvs).pvalue > 0.01


def test_the_same_stream_masks_the_same_and_another_does_not():
    tokens = sequences([9] * 8)

    first, again, other = (mask_nucleotides(tokens, 0.5, 0.3, generator(seed, "test")) for seed in (0, 0, 1))

    assert first.columns.tolist() == again.columns.tolist()
    assert first.tokens.tolist() == again.tokens.tolist()
    assert first.columns.tolist() != other.columns.tolist()


def test_in_training_some_are_read_as_another_nucleotide_and_some_as_they_are():
    tokens = np.full((400, 50), 2, dtype=np.uint8)

    masked = mask_nucleotides(tokens, 1.0, 0.5, generator(0, "test"), is_training=True)

    read = np.take_along_axis(masked.tokens.numpy(), masked.columns.numpy(), axis=1)
    shares = [(read == vocabulary.MASK).mean(), (read == 2).mean(), ((read != 2) & (read < 5)).mean()]
    np.testing.assert_allclose(shares, [0.8, 0.1 + 0.1 / 4, 0.1 * 3 / 4], atol=0.015)
    assert (masked.labels == 1).all()
    assert (masked.tokens != 2).sum() <= masked.columns.numel()


def test_spans_are_runs_of_neighbours_as_many_as_single_positions_and_anywhere():
    tokens = np.ones((600, 40), dtype=np.uint8)

    single, runs = (mask_nucleotides(tokens, 1.0, 0.2, generator(0, "test"), kind) for kind in ("random", "span"))

    assert runs.columns.shape == single.columns.shape == (600, 8)
    gaps = [np.diff(np.sort(masked.columns.numpy(), axis=1), axis=1) for masked in (single, runs)]
    assert (gaps[0] == 1).mean() < 0.25
    assert (gaps[1] == 1).mean() > 0.5
    counts = np.bincount(runs.columns.numpy().ravel(), minlength=40)
    assert counts.min() > 0.6 * counts.mean()
    assert counts.max() < 1.4 * counts.mean()


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=5), ratio=SHARES, seed=st.integers(0, 999))
def test_every_sample_hides_its_share_of_its_own_asvs(lengths, ratio, seed):
    offsets = np.concatenate([[0], np.cumsum(lengths)])

    hidden = hide_pairs(offsets, ratio, generator(seed, "test")).numpy()

    per_sample = np.histogram(hidden, bins=offsets)[0] if len(lengths) > 1 else [len(hidden)]
    assert list(per_sample) == [max(1, round(ratio * length)) for length in lengths]
    assert len(set(hidden)) == len(hidden)
    assert (np.diff(hidden) > 0).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_hidden_pairs_repeat_with_their_stream(seed):
    offsets = np.array([0, 12, 30])

    assert hide_pairs(offsets, 0.3, generator(seed, "test")).tolist() == (
        hide_pairs(offsets, 0.3, generator(seed, "test")).tolist()
    )
