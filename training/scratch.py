"""Models made from scratch, at a size that learns on a laptop.

``scratch:gpt2-tiny``: GPT-2's architecture, two layers of 128, a context of 512.
``scratch:llama-tiny``: Llama's, as small, with a context of 1,024 for chats.

Each has a byte-level BPE tokenizer learned from the training texts. Weights
are random; the caller's seed decides them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import GPT2Config, LlamaConfig, PreTrainedTokenizerFast

from fixtures.contracts.files import encodable

__all__ = ["gpt2_tiny", "llama_tiny"]

CONTEXT = 512
CHAT_CONTEXT = 1024
VOCABULARY = 8192
END = "<|endoftext|>"


def gpt2_tiny(texts: Sequence[str], *, vocabulary: int = VOCABULARY) -> tuple[GPT2Config, PreTrainedTokenizerFast]:
    """Configuration and tokenizer for ``texts``; the same texts give the same tokenizer.

    ``vocabulary`` is the most tokens it learns, the 256 bytes included.
    """
    tokenizer = _learned_tokenizer(texts, vocabulary, CONTEXT)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=CONTEXT,
        n_embd=128,
        n_layer=2,
        n_head=4,
        bos_token_id=end,
        eos_token_id=end,
    )
    return config, tokenizer


def llama_tiny(texts: Sequence[str]) -> tuple[LlamaConfig, PreTrainedTokenizerFast]:
    """Configuration and tokenizer for ``texts``; the same texts give the same tokenizer."""
    tokenizer = _learned_tokenizer(texts, VOCABULARY, CHAT_CONTEXT)
    end = tokenizer.eos_token_id
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=CHAT_CONTEXT,
        hidden_size=128,
        intermediate_size=344,
        num_hidden_layers=2,
        num_attention_heads=4,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    return config, tokenizer


def _learned_tokenizer(texts: Sequence[str], vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(BPE())
    bpe.pre_tokenizer = ByteLevel(add_prefix_space=False)
    bpe.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        # All 256 bytes, so that no text is unknown.
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((encodable(text) for text in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        model_max_length=context,
        model_input_names=["input_ids", "attention_mask"],
    )
