"""What the denoising network sees besides noise: the source's features, projected once for the whole clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

ReferenceFeatures = dict[str, Tensor]
"""Layer -> tokens (rows, height * width, channels) that enter its self-attention, in the order of the network."""

Reference = ReferenceFeatures | Sequence[ReferenceFeatures | None] | None
"""Features of every row of a batch (one row serves all), or row by row; None where a row attends to itself alone."""


@dataclass(frozen=True, eq=False)
class LayerCondition:
    """What one spatial transformer adds to its frames, for each row of a batch."""

    image: Tensor  # (rows, 1, channels), the cross-attention to the single image token: the same for every position
    reference: tuple[tuple[Tensor, Tensor] | None, ...]  # of each row: keys and values (1, tokens, channels)


@dataclass(frozen=True, eq=False)
class Condition:
    """What every layer sees; valid for all steps and windows of a clip."""

    layers: dict[str, LayerCondition]

    @property
    def rows(self) -> int:
        """The number of rows that it was made for."""
        return len(next(iter(self.layers.values())).image)

    def row(self, index: int) -> Condition:
        """The condition of one row."""
        return self.select([index])

    def select(self, rows: Sequence[int]) -> Condition:
        """The condition of some rows, which may repeat."""
        return Condition(
            {
                layer: LayerCondition(own.image[list(rows)], tuple(own.reference[row] for row in rows))
                for layer, own in self.layers.items()
            }
        )


def reference_at(layer: str, reference: Reference, rows: int) -> list[Tensor | None]:
    """The tokens (1, tokens, channels) of each row at one layer."""
    if reference is None:
        return [None] * rows
    if isinstance(reference, dict):
        return list(reference[layer].expand(rows, -1, -1).chunk(rows))
    return [None if features is None else features[layer] for features in reference]
