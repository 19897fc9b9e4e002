"""ASV vectors are encoded once per weights and study, and change no number."""

import numpy as np
import pytest
import torch

from aam.config.model import tiny
from aam.inference.network import asv_vectors, weights_digest
from aam.models.build import build_encoder
from aam.storage.cache import Cache
from conftest import make_batch, make_study


@pytest.fixture
def encoder():
    return build_encoder(tiny(), []).double().eval()


def encoded_rows(model):
    """Count the ASVs that the encoder reads from now on."""
    rows = []
    model.asv_encoder.register_forward_pre_hook(lambda _, arguments: rows.append(len(arguments[0])))
    return rows


def test_they_are_what_the_encoder_gives(encoder, study, tmp_path):
    vectors = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    tokens = torch.from_numpy(study.tokens[np.arange(len(study.feature_ids))].astype(np.int64))
    with torch.no_grad():
        expected = encoder.asv_encoder(tokens)
    torch.testing.assert_close(torch.from_numpy(vectors.copy()), expected, rtol=0, atol=1e-12)


def test_a_second_call_reads_them_from_disk(encoder, study, tmp_path):
    rows = encoded_rows(encoder)

    first = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))
    second = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    assert sum(rows) == len(study.feature_ids)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("change", ["weights", "study", "cut", "precision"])
def test_another_encoder_or_study_is_encoded_anew(encoder, study, tmp_path, change):
    asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))
    rows = encoded_rows(encoder)
    if change == "weights":
        with torch.no_grad():
            encoder.asv_encoder.pooling.query[0, 0] += 1e-9
    if change == "study":
        study = make_study(seed=1)
    if change == "cut":
        study = study.cut(5)
    if change == "precision":
        encoder.float()

    asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    assert sum(rows) == len(study.feature_ids)


def test_samples_read_from_them_equal_samples_read_from_nucleotides(encoder, study, tmp_path):
    vectors = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    with torch.no_grad():
        whole = encoder(make_batch(study)).samples.sample_vectors
        from_vectors = encoder(make_batch(study, asv_vectors=vectors)).samples.sample_vectors

    torch.testing.assert_close(from_vectors, whole, rtol=0, atol=1e-12)


def test_a_digest_depends_on_every_weight(encoder):
    before = weights_digest(encoder)
    with torch.no_grad():
        encoder.scale += 1e-12

    assert weights_digest(encoder) != before
