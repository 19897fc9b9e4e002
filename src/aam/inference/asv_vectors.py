"""The vector of each ASV of a study, encoded once and kept on disk."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from aam.data.study import Study
from aam.io.array_store import ArrayStore, ArrayWriter
from aam.io.cache import Cache, digest_of
from aam.models.asv_encoder import ASVEncoder

_KIND, _ARRAY = "asv-vectors", "vectors"


def asv_vectors(encoder: ASVEncoder, study: Study, cache: Cache) -> np.ndarray:
    """Give the vector of each feature of a study, by memory map, in the precision of the encoder's weights; [F, D].

    They are kept in the cache by the encoder's weights and the study's content, so that a second call only opens them.
    """
    dtype, shape = next(encoder.parameters()).dtype, encoder.config  # what does not show in the weights
    is_mixed = torch.is_autocast_enabled(next(encoder.parameters()).device.type)
    settings = f"{study.tokens.max_bp} {dtype} {is_mixed} {shape.attention_heads} {shape.patch_size}"
    key = digest_of(study.content, settings, weights_digest(encoder))

    def build(directory: Path) -> None:
        _encode(encoder, study, directory)

    def read(directory: Path) -> np.ndarray:
        return ArrayStore(directory)[_ARRAY]

    return cache.fetch(_KIND, key, build, read)


def weights_digest(module: nn.Module) -> str:
    """Hash a module's weights and their names."""
    content = hashlib.blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        content.update(name.encode())
        content.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()


def _encode(encoder: ASVEncoder, study: Study, directory: Path) -> None:
    weights = next(encoder.parameters())
    size = encoder.config.asv_chunk_size
    chunks = range(0, len(study.feature_ids), size)
    with ArrayWriter(directory) as writer, torch.inference_mode():
        for start in tqdm(chunks, desc="ASVs", unit="chunk", disable=None):
            features = np.arange(start, min(start + size, len(study.feature_ids)))
            tokens = torch.from_numpy(study.tokens[features].astype(np.int64)).to(weights.device)
            writer.append(_ARRAY, encoder(tokens).to(weights.dtype).cpu().numpy())
            study.release()
        writer.finish({})
