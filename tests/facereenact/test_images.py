"""Images as cameras and editors save them, and one clear sentence for what is none."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facereenact.errors import InputError, OutputError
from facereenact.images import is_image, read_image, write_image

WIDTH, HEIGHT = 60, 40


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth, coloured, and different in each corner."""
    x, y = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
    return np.stack([x, y, 255 - x], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("name", "tolerance"), [("a.png", 0), ("a.jpg", 4), ("a.webp", 8), ("a.bmp", 0), ("a.tif", 0)])
def test_reads_what_others_wrote(tmp_path: Path, picture: np.ndarray, name: str, tolerance: float) -> None:
    Image.fromarray(picture).save(tmp_path / name)
    image, alpha = read_image(tmp_path / name)
    assert image.dtype == np.uint8 and image.shape == (HEIGHT, WIDTH, 3) and alpha is None
    assert np.abs(image.astype(int) - picture).mean() <= tolerance
    assert is_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_transparent_parts_show_white(tmp_path: Path, picture: np.ndarray, name: str) -> None:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, :20], alpha[:, 20:40] = 0, 128
    Image.fromarray(np.dstack([picture, alpha])).save(tmp_path / name, lossless=True)
    image, read_alpha = read_image(tmp_path / name)
    assert read_alpha is not None and np.array_equal(read_alpha, alpha)
    expected = 255 + (picture.astype(float) - 255) * (alpha[..., None] / 255)
    assert np.abs(image - expected).max() <= 1


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    indexed = Image.new("P", (WIDTH, HEIGHT), 0)
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    indexed.paste(1, (0, 0, 30, HEIGHT))
    indexed.save(tmp_path / "a.png", transparency=0)
    image, alpha = read_image(tmp_path / "a.png")
    assert image[5, 5].tolist() == [200, 100, 50] and image[5, 50].tolist() == [255, 255, 255]
    assert alpha is not None and (alpha[5, 5], alpha[5, 50]) == (255, 0)


def test_16_bit_grey_is_scaled(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    image, _ = read_image(tmp_path / "a.png")
    assert np.abs(image[..., 0] - values / 257).max() <= 1
    assert np.array_equal(image[..., 0], image[..., 2])


def test_16_bit_colour_is_scaled(tmp_path: Path) -> None:
    rows = b"".join(b"\x00" + struct.pack(">3H", 65535, 32768, 1000) * WIDTH for _ in range(HEIGHT))
    write_png(tmp_path / "a.png", WIDTH, HEIGHT, 16, rows)
    assert read_image(tmp_path / "a.png")[0][3, 3] == pytest.approx([255, 128, 4], abs=1)


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("LA", "a.png"), ("1", "a.png"), ("P", "a.png"), ("L", "a.jpg")]
)
def test_other_modes_become_rgb(tmp_path: Path, picture: np.ndarray, mode: str, name: str) -> None:
    source = Image.fromarray(picture).convert(mode)
    source.save(tmp_path / name)
    image, _ = read_image(tmp_path / name)
    assert np.abs(image.astype(int) - np.asarray(source.convert("RGB"))).mean() < 3


def test_cmyk_jpeg(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg")[0].astype(int) - picture).mean() < 6


@pytest.mark.parametrize(
    ("orientation", "turns", "mirrored"), [(1, 0, False), (2, 0, True), (3, 2, False), (6, 3, False), (8, 1, False)]
)
def test_exif_rotation_is_applied(
    tmp_path: Path, picture: np.ndarray, orientation: int, turns: int, mirrored: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif, quality=95)
    expected = np.rot90(picture, turns)[:, :: -1 if mirrored else 1]
    image, _ = read_image(tmp_path / "a.jpg")
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_animations_give_their_first_frame(tmp_path: Path, name: str) -> None:
    first, second = Image.new("RGB", (40, 40), (250, 0, 0)), Image.new("RGB", (40, 40), (0, 0, 250))
    first.save(tmp_path / name, save_all=True, append_images=[second], duration=100)
    assert np.abs(read_image(tmp_path / name)[0].astype(int) - (250, 0, 0)).max() < 12
    assert is_image(tmp_path / name) == (name != "a.gif")


def test_missing_folder_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such image"):
        read_image(tmp_path / "none.png")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)
    (tmp_path / "a.png").write_text("text, not pixels")
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path / "b.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.bmp"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_cut_files(tmp_path: Path, name: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"damaged or cut short|not an image"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("size", [(31, 200), (200, 31), (1, 1)])
def test_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"too small.*at least 32"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("side", [10_001, 20_000, 1_000_000])
def test_too_large_is_seen_in_the_header(tmp_path: Path, side: int) -> None:
    write_png(tmp_path / "bomb.png", side, side, 8, b"")  # no pixels: decoding would fail differently
    with pytest.raises(InputError, match=r"too large.*100 megapixels"):
        read_image(tmp_path / "bomb.png")


def write_png(path: Path, width: int, height: int, bits: int, rows: bytes) -> None:
    """An RGB file of any claimed size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">2I5B", width, height, bits, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("a.png", 0), ("a.jpg", 3), ("a.jpeg", 3), ("a.webp", 4), ("A.PNG", 0)]
)
def test_writes_and_reads_back(tmp_path: Path, picture: np.ndarray, name: str, tolerance: float) -> None:
    write_image(tmp_path / name, picture)
    assert np.abs(read_image(tmp_path / name)[0].astype(int) - picture).mean() <= tolerance
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_alpha_is_written(tmp_path: Path, picture: np.ndarray) -> None:
    alpha = np.full((HEIGHT, WIDTH), 77, np.uint8)
    write_image(tmp_path / "a.png", np.dstack([picture, alpha]))
    assert np.array_equal(read_image(tmp_path / "a.png")[1], alpha)


def test_failures_leave_nothing(tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"ends in one of \.png"):
        write_image(tmp_path / "a.xyz", picture)
    with pytest.raises(OutputError, match="does not exist"):
        write_image(tmp_path / "none" / "a.png", picture)

    def full(self: Image.Image, path: Path, *args: object, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="disk full"):
        write_image(tmp_path / "a.png", picture)
    assert list(tmp_path.iterdir()) == []
