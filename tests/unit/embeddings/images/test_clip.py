"""Pictures and words in one space: a small pair of models that the test makes, and names of what is recognised."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roma_core.embeddings.fake import FakeEmbedder
from roma_core.embeddings.images import image_embedder_specs, make_image_embedder
from roma_core.embeddings.images.clip import ClipEmbedder, read_preprocessing
from roma_core.embeddings.images.decode import Preprocessing, read_pixels
from roma_core.embeddings.images.labels import LabelEmbedder
from roma_core.errors import ConfigError, EmbeddingError, ErrorCode
from roma_core.settings import Settings
from tests.clip_pair import make_clip_pair


def picture(colour: str, size: tuple[int, int] = (60, 90)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("reads_mask", [True, False])
async def test_a_picture_is_nearest_to_its_word(tmp_path: Path, reads_mask: bool) -> None:
    embedder = ClipEmbedder(str(make_clip_pair(tmp_path, reads_mask=reads_mask)))
    seen = await embedder.embed_pictures([picture("red"), picture("blue"), picture("red")])
    assert all(features is not None for features in seen)
    red, blue = (await embedder.embed_words("a photo of something red"), await embedder.embed_words("blue"))
    for word, nearer, other in ((red, 0, 1), (blue, 1, 0)):
        assert float(seen[nearer].vector @ word) > float(seen[other].vector @ word)
    assert np.array_equal(seen[0].vector, seen[2].vector)
    assert embedder.way == "pixels"
    embedder.close()


async def test_a_picture_that_cannot_be_read_is_none_and_the_others_are_seen(tmp_path: Path) -> None:
    embedder = ClipEmbedder(str(make_clip_pair(tmp_path)))
    seen = await embedder.embed_pictures([b"\x89PNG\r\n\x1a\nrubbish", picture("red")])
    assert [features is None for features in seen] == [True, False]


async def test_the_fingerprint_is_that_of_the_files(tmp_path: Path) -> None:
    one = ClipEmbedder(str(make_clip_pair(tmp_path / "a")))
    same = ClipEmbedder(str(make_clip_pair(tmp_path / "b")))
    other = ClipEmbedder(str(make_clip_pair(tmp_path / "c", reads_mask=False)))
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize("missing", ["text_model.onnx", "tokenizer.json"])
async def test_a_folder_without_one_of_the_files_says_which(tmp_path: Path, missing: str) -> None:
    folder = make_clip_pair(tmp_path)
    (folder / missing).unlink()
    with pytest.raises(EmbeddingError, match=missing) as caught:
        await ClipEmbedder(str(folder)).embed_words("red")
    assert caught.value.code is ErrorCode.EMBEDDING_MODEL


async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    folder = make_clip_pair(tmp_path)
    (folder / "vision_model.onnx").write_bytes(b"no model")
    with pytest.raises(EmbeddingError, match=r"vision_model\.onnx"):
        await ClipEmbedder(str(folder)).embed_pictures([picture("red")])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}, (224, 224)),
        ({"size": {"height": 384, "width": 384}}, (384, 0)),
        ({"size": 256, "crop_size": 224, "do_center_crop": True}, (224, 256)),
    ],
)
def test_published_configurations_are_read(
    tmp_path: Path, config: dict[str, object], expected: tuple[int, int]
) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(config))
    found = read_preprocessing(path)
    assert (found.side, found.resized) == expected


def test_a_picture_is_squeezed_or_its_middle_is_cut_out() -> None:
    image = Image.new("RGB", (300, 100), "white")
    image.paste("black", (100, 0, 200, 100))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    middle = read_pixels(buffer.getvalue(), Preprocessing(side=50, resized=50))
    whole = read_pixels(buffer.getvalue(), Preprocessing(side=50))
    assert middle is not None
    assert whole is not None
    assert middle.shape == whole.shape == (1, 3, 50, 50)
    assert float(middle.mean()) < -0.9
    assert -0.5 < float(whole.mean()) < 0.5


class ColourRecogniser:
    """Recognises a fox in red pictures and a whale in blue ones."""

    fingerprint = "colours"

    def recognise(self, data: bytes) -> tuple[tuple[str, float], ...]:
        pixels = read_pixels(data, Preprocessing(side=8))
        if pixels is None:
            return ()
        red, _, blue = pixels[0].mean(axis=(1, 2))
        return (("red fox", 0.8), ("wolf", 0.1)) if red > blue else (("blue whale", 0.9),)


async def test_labels_put_a_picture_near_the_words_for_it() -> None:
    embedder = LabelEmbedder(FakeEmbedder(), ColourRecogniser())
    fox, whale, broken = await embedder.embed_pictures([picture("red"), picture("blue"), b"rubbish"])
    assert broken is None
    assert fox is not None
    assert whale is not None
    wanted = await embedder.embed_words("red fox in snow")
    assert float(fox.vector @ wanted) > float(whale.vector @ wanted)
    assert fox.labels == (("red fox", 0.8), ("wolf", 0.1))
    assert embedder.way == "label"


def test_the_setting_names_a_model_a_folder_or_nothing(tmp_path: Path) -> None:
    texts = FakeEmbedder()
    assert make_image_embedder(Settings(), texts) is None
    folder = str(make_clip_pair(tmp_path))
    for chosen in (folder, f"clip:{folder}", "owner/model"):
        assert isinstance(make_image_embedder(Settings(image_embedder=chosen), texts), ClipEmbedder)
    assert isinstance(make_image_embedder(Settings(image_embedder="labels"), texts), LabelEmbedder)
    with pytest.raises(ConfigError, match="ROMA_IMAGE_EMBEDDER"):
        make_image_embedder(Settings(image_embedder="lables"), texts)
    with pytest.raises(ConfigError, match="clip:"):
        make_image_embedder(Settings(image_embedder="clip"), texts)
    assert {"labels", "clip"} <= set(image_embedder_specs())


def test_a_name_of_the_hub_that_cannot_be_fetched_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EmbeddingError, match="ROMA_IMAGE_EMBEDDER"):
        _ = ClipEmbedder("nobody/no-such-model").fingerprint
