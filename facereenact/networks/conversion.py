"""From the keys of the published checkpoints to ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

# Patterns of published keys that have no effect, and why.
DROPS = (
    (r"\.attention_blocks\.1\.pos_encoder\.pe$", "the table of attention_blocks.0 again"),
    (r"\.attentions\.\d+\.transformer_blocks\.\d+\.(norm2|attn2\.to_[qk])\.", "attention to a single image token"),
)

# Patterns and replacements, applied in this order to every other key.
RENAMES = (
    (r"(^|\.)temporal_transformer\.", r"\1"),
    (r"\.attention_blocks\.0\.pos_encoder\.", ".pos_embed."),
    (r"\.attention_blocks\.0\.", ".attn1."),
    (r"\.attention_blocks\.1\.", ".attn2."),
    (r"\.norms\.0\.", ".norm1."),
    (r"\.norms\.1\.", ".norm2."),
    (r"\.ff_norm\.", ".norm3."),
)

GUIDER_KEY, GUIDER_PREFIX = "blocks.0.weight", "embedding."  # which the keys of a pose guider lack


def convert_state_dict(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published checkpoint under our keys, for the network to load strictly.

    Takes a pose guider, a ReferenceNet, a denoising UNet or one of the two files that the body's is published in. Our
    own keys stay as they are. What `DROPS` names is left out.
    """
    names = converted_names(published)
    return {name: published[key] for key, name in names.items() if name is not None}


def converted_names(keys: Iterable[str]) -> dict[str, str | None]:
    """Our name of each published key, None where it is left out."""
    keys = list(keys)
    prefix = GUIDER_PREFIX if GUIDER_KEY in keys else ""
    return {key: None if reason_to_drop(key) else prefix + rename(key) for key in keys}


def reason_to_drop(key: str) -> str | None:
    """Why a published key is left out, None if it is not."""
    return next((reason for pattern, reason in DROPS if re.search(pattern, key)), None)


def rename(key: str) -> str:
    for pattern, replacement in RENAMES:
        key = re.sub(pattern, replacement, key)
    return key
