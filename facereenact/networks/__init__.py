"""The networks of the diffusion renderer: thin subclasses of diffusers' own, and their published checkpoints."""

from facereenact.networks.attention import ReferenceAttnProcessor
from facereenact.networks.conditioning import Condition, Reference, ReferenceFeatures
from facereenact.networks.conversion import convert_state_dict
from facereenact.networks.denoising_unet import DeepFeatures, DenoisingUNet
from facereenact.networks.pose_guider import PoseGuider
from facereenact.networks.reference_net import ReferenceNet
from facereenact.networks.sets import Networks, body_networks, face_networks, load_body_networks, load_face_networks

__all__ = [
    "Condition",
    "DeepFeatures",
    "DenoisingUNet",
    "Networks",
    "PoseGuider",
    "Reference",
    "ReferenceAttnProcessor",
    "ReferenceFeatures",
    "ReferenceNet",
    "body_networks",
    "convert_state_dict",
    "face_networks",
    "load_body_networks",
    "load_face_networks",
]
