"""A Stable Diffusion model in OpenVINO's format, with the real parts and hardly any weights: random ones.

It loads as a real one does and makes images from prompts in no time; they are noise, and another prompt is another
noise. The folder is laid out as `optimum-cli export openvino` lays one out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op
from openvino_tokenizers import tokenizer_pipeline as steps
from openvino_tokenizers.utils import change_outputs_type

#: Tokens of a prompt, numbers for each, and channels of the latent image.
LENGTH, HIDDEN, LATENT = 16, 8, 4
VOCABULARY = ["<s>", "</s>", *"abcdefghijklmnopqrstuvwxyz", " ", "?"]
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": LATENT,
    "block_out_channels": [4, 4, 4, 4],
    "scaling_factor": 0.18215,
}
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["optimum", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["optimum", "UNet2DConditionModel"],
    "vae": ["optimum", "AutoencoderKL"],
}


def make(folder: Path, *, encoder: bool = True) -> Path:
    """Write the model; without its `encoder` it cannot read images."""
    weights = Weights()
    _write(folder / "tokenizer", _tokenizer(), "openvino_tokenizer")
    specials = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    _write_json(folder / "tokenizer" / "tokenizer_config.json", specials)
    _write(folder / "text_encoder", weights.text_encoder())
    _write_json(folder / "text_encoder" / "config.json", {"max_position_embeddings": LENGTH, "num_hidden_layers": 1})
    _write(folder / "unet", weights.unet())
    _write_json(folder / "unet" / "config.json", {"in_channels": LATENT, "sample_size": 8})
    _write(folder / "vae_decoder", weights.decoder())
    _write_json(folder / "vae_decoder" / "config.json", VAE)
    if encoder:
        _write(folder / "vae_encoder", weights.encoder())
        _write_json(folder / "vae_encoder" / "config.json", VAE)
    _write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
    _write_json(folder / "model_index.json", INDEX)
    return folder


class Weights:
    """The networks, with random weights: the same every time."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(7)

    def _constant(self, *shape: int) -> Any:
        values = self._random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        return op.constant(values.astype(np.float32))

    def text_encoder(self) -> ov.Model:
        """Each token's row of a table, and its place."""
        ids = _input("input_ids", [-1, LENGTH], np.int64)
        states = op.add(op.gather(self._constant(32, HIDDEN), ids, op.constant(0)), self._constant(LENGTH, HIDDEN))
        pooled = op.reduce_mean(states, op.constant([1]))
        return ov.Model([_named(states, "last_hidden_state"), _named(pooled, "pooler_output")], [ids])

    def unet(self) -> ov.Model:
        """One convolution, moved by the prompt and the time."""
        sample = _input("sample", [-1, LATENT, -1, -1], np.float32)
        time = _input("timestep", [-1], np.int64)
        states = _input("encoder_hidden_states", [-1, -1, HIDDEN], np.float32)
        prompt = op.matmul(op.reduce_mean(states, op.constant([1])), self._constant(HIDDEN, LATENT), False, False)
        kernel = self._constant(LATENT, LATENT, 3, 3)
        noise = op.convolution(sample, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
        noise = op.add(noise, op.unsqueeze(prompt, op.constant([2, 3])))
        share = op.divide(op.convert(time, "f32"), op.constant(np.float32(1000)))
        return ov.Model(
            [_named(op.add(noise, op.multiply(op.tanh(noise), share)), "out_sample")], [sample, time, states]
        )

    def decoder(self) -> ov.Model:
        """Eight by eight pixels from each of the latent image."""
        latent = _input("latent_sample", [-1, LATENT, -1, -1], np.float32)
        kernel = self._constant(LATENT, 3, 8, 8)
        image = op.convolution_backprop_data(
            latent, kernel, [8, 8], pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1]
        )
        return ov.Model([_named(op.tanh(image), "sample")], [latent])

    def encoder(self) -> ov.Model:
        """The way back: mean and variance."""
        image = _input("sample", [-1, 3, -1, -1], np.float32)
        latent = op.convolution(image, self._constant(2 * LATENT, 3, 8, 8), [8, 8], [0, 0], [0, 0], [1, 1])
        return ov.Model([_named(latent, "latent_parameters")], [image])


def _tokenizer() -> ov.Model:
    """A token for each letter."""
    pipeline = steps.TokenizerPipeline()
    pipeline.vocab = VOCABULARY
    pipeline.add_steps(
        [
            steps.SpecialTokensSplit([steps.SpecialToken("<s>")]),
            steps.RegexSplitStep.split_by_chars(),
            steps.WordPieceTokenizationStep(VOCABULARY, unk_token="?"),
            steps.TruncationStep(max_length=LENGTH - 2),
            steps.CombineSegmentsStep([steps.AddToken("<s>", 0), steps.Sequence(), steps.AddToken("</s>", 1)]),
            steps.PaddingStep(token="</s>", _token_id=1, max_length=LENGTH, pad_to_max_length=True, pad_right=True),
        ]
    )
    model = change_outputs_type(pipeline.get_tokenizer_ov_subgraph(), ov.Type.i64)
    for output, name in zip(model.outputs, ("input_ids", "attention_mask"), strict=False):
        output.tensor.set_names({name})
    return model


def _input(name: str, shape: list[int], kind: type[np.generic]) -> Any:
    return _named(op.parameter(shape, kind), name)


def _named(node: Any, name: str) -> Any:
    node.output(0).set_names({name})
    return node


def _write(folder: Path, model: ov.Model, name: str = "openvino_model") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ov.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
