"""Puts this package's layers into a UNet that diffusers has built, over the weights that it has made."""

from __future__ import annotations

from collections.abc import Iterator

from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import nn

from facereenact.networks.motion_module import MotionModule
from facereenact.networks.resnet import ResnetBlock
from facereenact.networks.spatial_transformer import ReferenceBlock, SpatialTransformer


def adapt(unet: nn.Module) -> None:
    """Replace the resnets, spatial transformers and motion modules of a UNet; keys without effect go."""
    for name, module in list(unet.named_modules()):
        own: nn.Module | None = None
        if isinstance(module, ResnetBlock2D):
            own = ResnetBlock(module)
        elif isinstance(module, Transformer2DModel):
            own = SpatialTransformer(module, name)
        elif isinstance(module, AnimateDiffTransformer3D):
            own = MotionModule(module)
        if own is not None:
            unet.set_submodule(name, own)


def reference_blocks(unet: nn.Module) -> Iterator[ReferenceBlock]:
    """The blocks that exchange features, in the order of the modules."""
    return (module for module in unet.modules() if isinstance(module, ReferenceBlock))
