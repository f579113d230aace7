"""One training step (forward, backward, AdamW) in PyTorch eager. `library`: torch (llama.py) or transformers. `dtype`: float32, or
bfloat16 as autocast has it: matrix products in bfloat16, weights and moments in fp32."""
import peer
import torch
import torch.nn.functional as F
from llama import Llama, hugging_face

s = peer.settings()
torch.set_num_threads(s["threads"])
torch.manual_seed(0)
by_hand = s["library"] == "torch"
model = Llama(s["model"]) if by_hand else hugging_face(s["model"])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
bf16 = s["dtype"] == "bfloat16"
tokens = torch.randint(s["model"]["vocabulary"], (s["sequences"], s["length"]))


def step(_request):
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        if by_hand:
            logits = model.logits(model.hidden(tokens)[:, :-1])
        else:
            logits = model(tokens).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


step(None)
peer.serve(step, version=f"torch {torch.__version__}", parameters=sum(p.numel() for p in model.parameters()))
