"""A Llama-style decoder in plain PyTorch operations: what a careful user would write by hand. Tied embeddings."""
import torch
import torch.nn.functional as F


class Llama(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        C, Ff, L = model["width"], model["feedForward"], model["layers"]
        self.heads, self.D = model["heads"], C // model["heads"]
        weight = lambda *shape: torch.nn.Parameter(torch.randn(*shape) * 0.02)
        self.embed = weight(model["vocabulary"], C)
        self.blocks = torch.nn.ParameterList()
        for _ in range(L):
            block = {"qkv": weight(3 * C, C), "o": weight(C, C), "gate_up": weight(2 * Ff, C), "down": weight(C, Ff)}
            block |= {"norm1": torch.nn.Parameter(torch.ones(C)), "norm2": torch.nn.Parameter(torch.ones(C))}
            self.blocks.append(torch.nn.ParameterDict(block))
        self.norm = torch.nn.Parameter(torch.ones(C))
        angle = torch.arange(1024)[:, None] / 10000 ** (torch.arange(0, self.D, 2) / self.D)
        self.register_buffer("cos", torch.cat([angle.cos()] * 2, -1))
        self.register_buffer("sin", torch.cat([angle.sin()] * 2, -1))

    def rotate(self, x, start):  # (B, H, T, D)
        T, half = x.shape[2], self.D // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * self.cos[start : start + T] + turned * self.sin[start : start + T]

    def hidden(self, tokens, cache=None, start=0):  # (B, T) -> (B, T, C); cache: per layer (k, v) of (B, H, room, D)
        B, T = tokens.shape
        x = F.embedding(tokens, self.embed)
        for layer, w in enumerate(self.blocks):
            h = F.rms_norm(x, (x.shape[-1],), w["norm1"], 1e-5)
            q, k, v = (h @ w["qkv"].t()).view(B, T, 3, self.heads, self.D).permute(2, 0, 3, 1, 4)
            q, k = self.rotate(q, start), self.rotate(k, start)
            if cache is not None:
                cache[layer][0][:, :, start : start + T] = k
                cache[layer][1][:, :, start : start + T] = v
                k, v = (c[:, :, : start + T] for c in cache[layer])
            a = F.scaled_dot_product_attention(q, k, v, is_causal=T > 1)
            x = x + a.transpose(1, 2).reshape(B, T, -1) @ w["o"].t()
            gate, up = (F.rms_norm(x, (x.shape[-1],), w["norm2"], 1e-5) @ w["gate_up"].t()).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ w["down"].t()
        return F.rms_norm(x, (x.shape[-1],), self.norm, 1e-5)

    def logits(self, hidden):
        return hidden @ self.embed.t()


def hugging_face(model, context=1024):
    """The same shape as transformers' class, for generate() and for TRL."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(
        vocab_size=model["vocabulary"], hidden_size=model["width"], intermediate_size=model["feedForward"],
        num_hidden_layers=model["layers"], num_attention_heads=model["heads"], num_key_value_heads=model["heads"],
        max_position_embeddings=context, tie_word_embeddings=True, rms_norm_eps=1e-5,
        bos_token_id=None, eos_token_id=1, pad_token_id=0))
