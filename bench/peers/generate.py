"""Batched sampling of `samples` completions per prompt, fp32, temperature 1. `library`: transformers or torch."""
import peer
import torch
from llama import Llama, hugging_face

s = peer.settings()
torch.set_num_threads(s["threads"])
torch.manual_seed(0)
P, N, G, prompts = s["promptTokens"], s["newTokens"], s["samplesPerPrompt"], s["prompts"]
tokens = torch.randint(2, s["model"]["vocabulary"], (prompts, P))
version = f"torch {torch.__version__}"

if s["library"] == "transformers":
    import transformers

    transformers.logging.set_verbosity_error()
    version = f"transformers {transformers.__version__}"
    model = hugging_face(s["model"]).eval()
    batch = tokens.repeat_interleave(G, 0)

    @torch.inference_mode()
    def generate(_request):
        out = model.generate(batch, attention_mask=torch.ones_like(batch), do_sample=True, temperature=1.0, top_k=0,
                             top_p=1.0, min_new_tokens=N, max_new_tokens=N)
        assert out.shape == (prompts * G, P + N)
else:
    model = Llama(s["model"]).eval()

    @torch.inference_mode()
    def generate(_request):
        # The prompt is computed once per group and its keys are copied to the samples: the strongest plain version.
        D, H = model.D, model.heads
        cache = [[torch.empty(prompts, H, P + N, D) for _ in "kv"] for _ in model.blocks]
        last = model.logits(model.hidden(tokens, cache)[:, -1]).repeat_interleave(G, 0)
        cache = [[c.repeat_interleave(G, 0) for c in pair] for pair in cache]
        out = []
        for position in range(P, P + N):
            logprob = torch.log_softmax(last, -1)
            token = torch.multinomial(logprob.exp(), 1)
            out.append((token, logprob.gather(-1, token)))
            if position + 1 < P + N:
                last = model.logits(model.hidden(token, cache, position)[:, -1])
        assert len(out) == N


generate(None)
peer.serve(generate, version=version, parameters=sum(p.numel() for p in model.parameters()))
