"""The catalogue: every checkpoint that this project can use, as data.

A size, hash or licence that is not known is None or "unknown"; none is guessed. The weights of Stable Diffusion 1.5 are
not here because inference does not need them: the published denoising and reference networks are complete.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import quote

from checkpoints.errors import InputError
from checkpoints.manifest import Layout

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Hub:
    """A repository of a model hub. HF_ENDPOINT in the environment names another hub, such as a company's mirror."""

    repo: str
    revision: str  # commit, or a branch where no commit is known
    folder: str = ""

    def url(self, name: str) -> str:
        path = f"{self.folder}/{name}" if self.folder else name
        return f"{hub_endpoint()}/{self.repo}/resolve/{self.revision}/{quote(path)}"

    @property
    def page(self) -> str:
        return f"{hub_endpoint()}/{self.repo}/tree/{self.revision}/{self.folder}".rstrip("/")


@dataclass(frozen=True)
class Web:
    """A folder of a web server."""

    base: str
    page: str

    def url(self, name: str) -> str:
        return f"{self.base}/{quote(name)}"


@dataclass(frozen=True)
class Drive:
    """A shared drive that only a browser can open."""

    page: str


Source = Hub | Web


@dataclass(frozen=True)
class PublishedFile:
    """One file of a checkpoint: what identifies it, and what it must hold."""

    name: str  # as published
    bytes: int | None = None
    sha256: str | None = None
    git_blob: str | None = None  # SHA-1 of "blob SIZE\0" and the content: verifies where no SHA-256 is known
    stored: str = ""  # name in our folder, the published one if empty; weights in pickles are stored as .safetensors
    layout: Layout | None = None  # keys and shapes of weights
    settings: tuple[tuple[str, object], ...] = ()  # entries that a JSON file must have
    also_named: tuple[str, ...] = ()  # other names under which `import` takes it
    optional: bool = False  # an alternative model: pulled, but not needed for the checkpoint to count as installed

    @property
    def stored_name(self) -> str:
        return self.stored or self.name

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which `import` takes the file, the best first."""
        return tuple(dict.fromkeys((self.name, self.stored_name, *self.also_named)))


@dataclass(frozen=True)
class Checkpoint:
    """Files that belong together, and where they come from."""

    name: str
    title: str
    needed_by: str
    licence: str
    files: tuple[PublishedFile, ...]
    source: Hub | Web | Drive
    mirror: Source | None = None  # an unofficial copy that nobody here has verified
    about_bytes: int | None = None  # of the whole, from the rounded sizes on the publisher's page
    folders: tuple[str, ...] = ()  # sub-folders that `import` looks into, besides the folder it is given

    @property
    def known_bytes(self) -> int:
        """What the files of known size take as published."""
        return sum(file.bytes or 0 for file in self.files)


def hub_endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def catalogue() -> tuple[Checkpoint, ...]:
    """Every known checkpoint."""
    return tuple(CATALOGUE.values())


def find(checkpoint: str | Checkpoint) -> Checkpoint:
    """The entry of that name; an entry is returned as it is.

    Raises:
        InputError: there is none.
    """
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    if checkpoint not in CATALOGUE:
        raise InputError(f"no checkpoint is called {checkpoint!r}; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[checkpoint]


def classifier(*layers: int) -> tuple[str, ...]:
    """The keys of the layers after the features, which no metric needs."""
    return tuple(f"classifier.{layer}.{kind}" for layer in layers for kind in ("weight", "bias"))


OPENSEEFACE = Checkpoint(
    name="openseeface",
    title="OpenSeeFace: face detection, 68 landmarks, gaze",
    needed_by="tracking with OpenSeeFace",
    licence="BSD-2-Clause",
    source=Web(
        base="https://raw.githubusercontent.com/emilianavt/OpenSeeFace/dee5bb76066d062e7d80828ff407cbc5854f94f1/models",
        page="https://github.com/emilianavt/OpenSeeFace/tree/dee5bb76066d062e7d80828ff407cbc5854f94f1/models",
    ),
    folders=("models",),
    files=(
        PublishedFile(
            "lm_model0_opt.onnx",
            bytes=1902521,
            sha256="43c9c58f03701cc15b8423c49b78af348a6397334d348887e0fda59013275c29",
            git_blob="e3547bef62b2d3a7704cd925f546d9c35de5e0bd",
        ),
        PublishedFile("lm_model1_opt.onnx", git_blob="07c402f6cfd438911519e7cb06d1282d449f8186", optional=True),
        PublishedFile("lm_model2_opt.onnx", git_blob="915f4084ac2c2dfc43c81e238b608a1c196088a8", optional=True),
        PublishedFile("lm_model3_opt.onnx", git_blob="968caf0f30cfa76d89d405d272f5ce45fa491f2d", optional=True),
        PublishedFile("lm_model4_opt.onnx", git_blob="cc92fc0f091ae0ddcb4daf52e7db0a6ea2a4fb1a", optional=True),
        PublishedFile(
            "mnv3_detection_opt.onnx",
            bytes=568302,
            sha256="0e8e4806766d85ab067a52c7af0dcb59eb7f9dfe580b44f20a8e6ab712d89809",
            git_blob="60bbf7a4388858e4409fcc92a2050c448e2379c3",
        ),
        PublishedFile(
            "mnv3_gaze32_split_opt.onnx",
            bytes=3922610,
            sha256="1d49e9675cfda0cc26a2e7758af2105c50141753c6e538f0dbafcf651a03a6c0",
            git_blob="f92a34355e401ab1eb3108251fac86907c3ecacc",
        ),
        PublishedFile(
            "retinaface_640x640_opt.onnx",
            bytes=1713525,
            sha256="c8672bf91ca858d7b51e258ac39e41eb2a03309502ccb868e4fa1e4354dd0f89",
            git_blob="8ef50100f2ffb4206e1cf0d556e17473de42aff6",
        ),
        PublishedFile(
            "priorbox_640x640.json",
            bytes=1337121,
            sha256="cd4f52b281b509ee8e4f056cc49842c52dc35baa71e15a61b93182f0ae6d4763",
            git_blob="761c04c550aeebfa14c1569382010c3c4ec4260b",
        ),
    ),
)

POSE_GUIDER = Layout(("pose_guider",))
UNET = Layout(("unet",))

MOORE_FACE = Checkpoint(
    name="moore-face",
    title="Moore-AnimateAnyone, face reenactment",
    needed_by="the diffusion renderer",
    licence=UNKNOWN,
    source=Drive("https://pan.baidu.com/s/1lS5CynyNfYlDbjowKKfG8g?pwd=crci"),
    mirror=Hub("lithiumice/face_reenact", revision="main"),
    about_bytes=6_980_000_000,
    folders=("reenact",),
    files=(
        PublishedFile(
            "denoising_unet.pth", stored="denoising_unet.safetensors", layout=Layout(("unet", "motion_module"))
        ),
        PublishedFile("reference_unet.pth", stored="reference_unet.safetensors", layout=UNET),
        PublishedFile("pose_guider1.pth", stored="pose_guider1.safetensors", layout=POSE_GUIDER),
        PublishedFile("pose_guider2.pth", stored="pose_guider2.safetensors", layout=POSE_GUIDER),
    ),
)

MOORE_BODY = Checkpoint(
    name="moore-body",
    title="Moore-AnimateAnyone, body animation",
    needed_by="body animation",
    licence="Apache-2.0",
    source=Hub("patrolli/AnimateAnyone", revision="7fd8ff9dfb0e75c7b7fa2689e4795347b5996b9a"),
    about_bytes=8_700_000_000,
    files=(
        PublishedFile("denoising_unet.pth", stored="denoising_unet.safetensors", layout=UNET),
        PublishedFile("motion_module.pth", stored="motion_module.safetensors", layout=Layout(("motion_module",))),
        PublishedFile("pose_guider.pth", stored="pose_guider.safetensors", layout=POSE_GUIDER),
        PublishedFile(
            "reference_unet.pth",
            stored="reference_unet.safetensors",
            layout=Layout(
                ("unet",), without=("conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight", "conv_out.bias")
            ),
        ),
    ),
)

SD_VAE = Checkpoint(
    name="sd-vae-ft-mse",
    title="Autoencoder of Stable Diffusion, fine-tuned",
    needed_by="the diffusion renderer and body animation",
    licence="MIT",
    source=Hub("stabilityai/sd-vae-ft-mse", revision="31f26fdeee1355a5c34592e401dd41e45d25a493"),
    folders=("sd-vae-ft-mse", "vae"),
    files=(
        PublishedFile(
            "config.json",
            bytes=547,
            sha256="92d3dfb746fca211a2c9e019e285f8597412211728dce3c5bcf4eda0f2d62e7e",
            settings=(("latent_channels", 4), ("block_out_channels", [128, 256, 512, 512])),
        ),
        PublishedFile(
            "diffusion_pytorch_model.safetensors",
            bytes=334643276,
            sha256="a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
            also_named=("diffusion_pytorch_model.bin",),
            # The published file has the attention names of diffusers before 0.18, which diffusers still reads.
            layout=Layout(
                ("vae",),
                renames=(
                    ("attentions.0.query.", "attentions.0.to_q."),
                    ("attentions.0.key.", "attentions.0.to_k."),
                    ("attentions.0.value.", "attentions.0.to_v."),
                    ("attentions.0.proj_attn.", "attentions.0.to_out.0."),
                ),
            ),
        ),
    ),
)

TAESD = Checkpoint(
    name="taesd",
    title="Tiny autoencoder for Stable Diffusion",
    needed_by="the diffusion renderer with --decoder small, a quick look",
    licence="MIT",
    source=Hub("madebyollin/taesd", revision="614f76814bbe30edbe2e627ace1c2234c81a2c0e"),
    about_bytes=9_800_000,
    files=(
        PublishedFile("config.json", settings=(("latent_channels", 4),)),
        PublishedFile(
            "diffusion_pytorch_model.safetensors",
            bytes=9793292,
            sha256="db169d69145ec4ff064e49d99c95fa05d3eb04ee453de35824a6d0f325513549",
            layout=Layout(("tiny_decoder",)),
        ),
    ),
)

IMAGE_ENCODER = Checkpoint(
    name="image-encoder",
    title="CLIP ViT-L/14 image encoder of Image Variations",
    needed_by="the diffusion renderer and body animation",
    licence="CreativeML OpenRAIL-M",
    source=Hub(
        "lambdalabs/sd-image-variations-diffusers",
        revision="f0c29c067d5cf5ac9997bd75ea6cd0732383b4b5",
        folder="image_encoder",
    ),
    folders=("image_encoder",),
    files=(
        PublishedFile(
            "config.json",
            bytes=703,
            settings=(("hidden_size", 1024), ("num_hidden_layers", 24), ("patch_size", 14), ("projection_dim", 768)),
        ),
        PublishedFile(
            "pytorch_model.bin",
            bytes=1215993967,
            sha256="89d2aa29b5fdf64f3ad4f45fb4227ea98bc45156bbae673b85be1af7783dbabb",
            stored="model.safetensors",
            # Until transformers 4.31 a constant table was saved with the weights.
            layout=Layout(("image_encoder",), ignored=("vision_model.embeddings.position_ids",)),
        ),
    ),
)

DWPOSE = Checkpoint(
    name="dwpose",
    title="DWPose: person detection, 133 body, hand and face points",
    needed_by="body tracking with DWPose",
    licence="Apache-2.0",
    source=Hub("yzd-v/DWPose", revision="1a7144101628d69ee7a3768d1ee3a094070dc388"),
    folders=("DWPose",),
    files=(
        PublishedFile(
            "yolox_l.onnx",
            bytes=216746733,
            sha256="7860ae79de6c89a3c1eb72ae9a2756c0ccfbe04b7791bb5880afabd97855a411",
        ),
        PublishedFile(
            "dw-ll_ucoco_384.onnx",
            bytes=134399116,
            sha256="724f4ff2439ed61afb86fb8a1951ec39c6220682803b4a8bd4f598cd913b1843",
        ),
    ),
)

ALEXNET = Checkpoint(
    name="alexnet",
    title="AlexNet, trained on ImageNet",
    needed_by="LPIPS in evaluate",
    licence=UNKNOWN,
    source=Web(base="https://download.pytorch.org/models", page="https://download.pytorch.org/models"),
    files=(
        PublishedFile(
            "alexnet-owt-7be5be79.pth",
            bytes=244408911,
            sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            stored="alexnet.safetensors",
            layout=Layout(("alexnet",), ignored=classifier(1, 4, 6)),
        ),
    ),
)

VGG16 = Checkpoint(
    name="vgg16",
    title="VGG-16, trained on ImageNet",
    needed_by="LPIPS as the published tables measure it, in evaluate",
    licence=UNKNOWN,
    source=Web(base="https://download.pytorch.org/models", page="https://download.pytorch.org/models"),
    files=(
        PublishedFile(
            "vgg16-397923af.pth",
            bytes=553433881,
            sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            stored="vgg16.safetensors",
            layout=Layout(("vgg16",), ignored=classifier(0, 3, 6)),
        ),
    ),
)

LPIPS = Checkpoint(
    name="lpips",
    title="LPIPS 0.1: weights of the features of AlexNet and VGG-16",
    needed_by="LPIPS in evaluate",
    licence="BSD-2-Clause",
    source=Web(
        base="https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1",
        page="https://github.com/richzhang/PerceptualSimilarity/tree/master/lpips/weights/v0.1",
    ),
    folders=("lpips/weights/v0.1", "weights/v0.1"),
    files=(
        PublishedFile(
            "alex.pth",
            bytes=6009,
            sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            stored="alex.safetensors",
            layout=Layout(("lpips_alex",)),
        ),
        PublishedFile(
            "vgg.pth",
            bytes=7289,
            sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            stored="vgg.safetensors",
            layout=Layout(("lpips_vgg",)),
            optional=True,
        ),
    ),
)

INCEPTION = Checkpoint(
    name="inception-fid",
    title="Inception of 2015-12-05 as TorchScript, the network of FID",
    needed_by="FID in evaluate",
    licence=UNKNOWN,
    source=Web(
        base="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics",
        page="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics",
    ),
    about_bytes=96_000_000,
    files=(
        PublishedFile(
            "inception-2015-12-05.pt",
            sha256="f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
        ),
    ),
)

I3D = Checkpoint(
    name="i3d-fvd",
    title="I3D of Kinetics-400 as TorchScript, the network of FVD",
    needed_by="FVD in evaluate",
    licence=UNKNOWN,
    source=Hub("flateon/FVD-I3D-torchscript", revision="1c2d61711c52571ad617a1063e6fa691b212e184"),
    files=(
        PublishedFile(
            "i3d_torchscript.pt",
            bytes=51235320,
            sha256="bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
        ),
    ),
)

ARCFACE = Checkpoint(
    name="arcface",
    title="ArcFace, IResNet-50 on WebFace600K (InsightFace buffalo_l)",
    needed_by="CSIM in evaluate",
    licence="non-commercial research only",
    source=Hub(
        "public-data/insightface", revision="33c1063c49c785b7652d3fd529f86fa4f149392b", folder="models/buffalo_l"
    ),
    folders=("models/buffalo_l", "buffalo_l"),
    files=(
        PublishedFile(
            "w600k_r50.onnx",
            bytes=174383860,
            sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
        ),
    ),
)

CATALOGUE = {
    entry.name: entry
    for entry in (
        *(OPENSEEFACE, MOORE_FACE, MOORE_BODY, SD_VAE, IMAGE_ENCODER, DWPOSE, TAESD),
        *(ALEXNET, VGG16, LPIPS, INCEPTION, I3D, ARCFACE),
    )
}
