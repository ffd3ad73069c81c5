"""Models of a few thousand random weights, one of each layout that LoRA has to know."""

import warnings

import torch

VOCAB, WIDTH = 96, 32
COMMON = {"vocab_size": VOCAB, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}


def configs():
    """Name to a config of transformers; ids of special tokens lie within the vocabulary."""
    import transformers as t

    ffn, ends = {"intermediate_size": 48}, {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return {
        "llama": t.LlamaConfig(**COMMON, **ffn, **ends),
        "llama-tied": t.LlamaConfig(**COMMON, **ffn, **ends, num_key_value_heads=1, tie_word_embeddings=True),
        "gpt_neox": t.GPTNeoXConfig(**COMMON, **ffn, **ends),
        "rwkv": t.RwkvConfig(
            vocab_size=VOCAB, hidden_size=WIDTH, attention_hidden_size=WIDTH, num_hidden_layers=3, rescale_every=1,
            context_length=256, **ends,
        ),
        "gpt2": t.GPT2Config(vocab_size=VOCAB, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=256, **ends),
        "qwen3": t.Qwen3Config(**COMMON, **ffn, **ends, num_key_value_heads=1, head_dim=16),
        "opt": t.OPTConfig(
            **COMMON, **ends, ffn_dim=48, word_embed_proj_dim=WIDTH, max_position_embeddings=256
        ),
        "bloom": t.BloomConfig(vocab_size=VOCAB, hidden_size=WIDTH, n_layer=2, n_head=2, **ends),
        "mamba": t.MambaConfig(vocab_size=VOCAB, hidden_size=WIDTH, state_size=4, num_hidden_layers=2, **ends),
        "starcoder2": t.Starcoder2Config(
            **COMMON, **ffn, **ends, num_key_value_heads=1
        ),  # not in the table
    }  # fmt: skip


def model(name):
    """A model of that name, always the same one."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AutoModelForCausalLM.from_config(configs()[name]).eval()


def folder(path, name, dtype=torch.float32):
    """The model's Hugging Face folder."""
    model(name).to(dtype).save_pretrained(path)
    return str(path)


def train(adapted):
    """Give what trains other weights, as steps would; B is no longer zero."""
    generator = torch.Generator().manual_seed(3)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return adapted.eval()
