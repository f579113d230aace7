"""Loads adapters with peft, computes logits in float32 and saves the adapters again.

Argument: a JSON list of {"folder", "tokens", "saved", "out"}. The base model is the one that the adapter names. Writes the
logits (T, V) to "out" (safetensors) and the adapter to the folder "saved".
"""

import json
import sys

import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import save_file

for case in json.loads(sys.argv[1]):
    model = AutoPeftModelForCausalLM.from_pretrained(case["folder"], dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(torch.tensor([case["tokens"]])).logits[0].contiguous()
    save_file({"logits": logits}, case["out"])
    model.save_pretrained(case["saved"])
