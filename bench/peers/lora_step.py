"""One training step of a LoRA adapter (peft) on a frozen Llama (transformers), eager, fp32."""
import peer
import peft
import torch
import torch.nn.functional as F
from llama import hugging_face

s = peer.settings()
torch.set_num_threads(s["threads"])
torch.manual_seed(0)
config = peft.LoraConfig(r=s["rank"], lora_alpha=2 * s["rank"], target_modules=s["targets"], task_type="CAUSAL_LM")
model = peft.get_peft_model(hugging_face(s["model"]), config)
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.1, fused=True)
tokens = torch.randint(s["model"]["vocabulary"], (s["sequences"], s["length"]))


def step(_request):
    logits = model(tokens).logits[:, :-1]
    F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


step(None)
peer.serve(step, version=f"peft {peft.__version__}, torch {torch.__version__}", parameters=sum(p.numel() for p in trained))
