"""Loads model folders with transformers and computes logits in float32.

Argument: a JSON list of {"folder", "tokens", "out"}. Writes the logits (T, V) to "out" (safetensors) and prints one JSON line
per folder: keys that were missing or unexpected, the type the config names, the generation settings, the tokenizer's size.
"""

import json
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

for case in json.loads(sys.argv[1]):
    folder = case["folder"]
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model.eval()
    with torch.no_grad():
        logits = model(torch.tensor([case["tokens"]])).logits[0].contiguous()
    save_file({"logits": logits}, case["out"])
    config = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").config
    generation = GenerationConfig.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder) if case["tokenizer"] else None
    print(
        json.dumps(
            {
                "missing": sorted(info["missing_keys"]),
                "unexpected": sorted(info["unexpected_keys"]),
                "mismatched": sorted(map(str, info["mismatched_keys"])),
                "dtype": str(config.dtype),
                "rope": config.rope_parameters,
                "eos": generation.eos_token_id,
                "tokenizer": None if tokenizer is None else len(tokenizer),
            }
        ),
        flush=True,
    )
