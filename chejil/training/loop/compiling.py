"""torch.compile, layer by layer, as torchtitan does it.

All layers of a model share one graph, so it is compiled once and not 24 times; FSDP gathers weights between graphs.
Shapes are fixed: rows are of one length, so kernels are made for it. Left to itself, torch would meet the 16 tokens of
`refuse_leaks` first, then take lengths for variable and make slower kernels for the whole training. The price is one
compilation for each shape and mode: the proof at start, training, evaluation.
"""

from __future__ import annotations

from transformers import LlamaForCausalLM


def compile_layers(model: LlamaForCausalLM) -> None:
    """Compile each decoder layer in place; after activation_checkpointing.apply, before fully_shard.

    Names of weights stay. Beyond eight shapes torch goes on without compiling and warns; `fullgraph` would end the
    training there (that layers are one graph, a test shows).
    """
    for layer in model.model.layers:
        layer.compile(dynamic=False)
