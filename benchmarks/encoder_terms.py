"""Time of the ASV encoder's forward and backward passes, by operation.

    python benchmarks/encoder_terms.py [--quick] [--threads 1] [--results DIRECTORY] [--document PAGE]

Reads random sequences in float32, as training does, with recomputation and without it, under PyTorch's profiler. The products are
compared with the fastest matrix product of the same process. Writes a dated page.
"""

from dataclasses import replace

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from aam import vocabulary
from aam.config.model import ModelConfig
from aam.models.asv_encoder import ASVEncoder
from flops import flops_of_asvs, peak_flops
from measuring import check_document, parse, quote, table, write_page
from pretraining_step import SMALL

TITLE = "Terms of the ASV encoder"
TERMS = {
    "matrix products": ("aten::addmm", "aten::mm", "aten::bmm"),
    "attention": (
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
    ),
    "GELU": ("aten::gelu", "aten::gelu_backward"),
    "normalisation": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "adding, copying, clearing": (
        "aten::add", "aten::add_", "aten::copy_", "aten::cat", "aten::fill_", "aten::zero_", "aten::sum", "aten::mul",
    ),
}  # fmt: skip
"""Names of PyTorch's operations, by group."""
REST = "all else"


def main() -> None:
    """Measure and write the page."""
    options = parse(__doc__)
    check_document(options, [TITLE])
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    shape = replace(ModelConfig(), **SMALL) if options.quick else ModelConfig()
    n_asvs, size = (32, 256) if options.quick else (512, 4096)
    peak = peak_flops(torch.float32, size)
    rows = [
        row(replace(shape, gradient_checkpointing=recomputes), n_asvs, options.steps or 5, peak)
        for recomputes in (True, False)
    ]
    columns = ("recomputation", "s", *TERMS, REST, "products, % of peak", "all, % of peak", "with recomputation, %")
    note = (
        f"{n_asvs} ASVs of {shape.max_bp} nucleotides in float32, {shape}. Shares of the time, by the profiler; the fastest "
        f"product of {size} × {size} runs at {peak / 1e9:.0f} GFLOP/s."
    )
    rows_as_text = table(columns, rows)
    page = write_page(options, "encoder_terms", TITLE, [note, "", *rows_as_text])
    quote(options, TITLE, page, rows_as_text)


def row(shape: ModelConfig, n_asvs: int, steps: int, peak: float) -> list[object]:
    """Measure one way of training the encoder."""
    encoder = ASVEncoder(shape).train()
    letters = vocabulary.FIRST_NUCLEOTIDE + np.arange(len(vocabulary.NUCLEOTIDES))
    tokens = torch.from_numpy(np.random.default_rng(0).choice(letters, (n_asvs, shape.max_bp)))
    encoder(tokens).sum().backward()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(steps):
            encoder(tokens).sum().backward()
    spent = {event.key: event.self_cpu_time_total / 1e6 / steps for event in profiler.key_averages()}
    total = sum(spent.values())
    terms = {name: sum(spent.get(operation, 0.0) for operation in operations) for name, operations in TERMS.items()}
    flops = flops_of_asvs(shape, tokens)
    executed = flops.of_recomputing_step
    rates = (executed / terms["matrix products"], flops.of_step / total, executed / total)
    shares = [f"{value / total:.1%}" for value in (*terms.values(), total - sum(terms.values()))]
    is_recomputed = "yes" if shape.gradient_checkpointing else "no"
    return [is_recomputed, f"{total:.3g}", *shares, *(f"{rate / peak:.0%}" for rate in rates)]


if __name__ == "__main__":
    main()
