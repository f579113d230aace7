"""A Qwen-style decoder in PyTorch on a card: `what` is train (one update: forward, backward, fused AdamW; SDPA, autocast to
bfloat16, torch.compile where `compile` is set) or decode (a static cache, the step captured as a CUDA graph). Or ops: every
request names one in bfloat16 and its shape: gemm_nt (M, N, K; cuBLAS), attention_forward or attention_backward (B, T, heads, kv
heads, width; causal SDPA)."""
import statistics
import time

import peer
import torch
import torch.nn.functional as F

s = peer.settings()
device = torch.device(s["device"])
on_card = device.type == "cuda"
torch.manual_seed(0)
torch.set_float32_matmul_precision("high")
if m := s.get("model"):
    H, K, D, C = m["heads"], m["kvHeads"], m["headWidth"], m["width"]


def wait():
    if on_card:
        torch.cuda.synchronize(device)


class Decoder(torch.nn.Module):
    def __init__(self, dtype, positions):
        super().__init__()
        weight = lambda *shape: torch.nn.Parameter(torch.randn(*shape, device=device, dtype=dtype) * 0.02)
        ones = lambda n: torch.nn.Parameter(torch.ones(n, device=device, dtype=dtype))
        self.embed, self.norm, self.blocks = weight(m["vocabulary"], C), ones(C), torch.nn.ModuleList()
        for _ in range(m["layers"]):
            block = {"qkv": weight((H + 2 * K) * D, C), "o": weight(C, H * D), "gate_up": weight(2 * m["feedForward"], C)}
            block |= {"down": weight(C, m["feedForward"]), "norm1": ones(C), "norm2": ones(C), "q_norm": ones(D), "k_norm": ones(D)}
            self.blocks.append(torch.nn.ParameterDict(block))
        angle = torch.arange(positions, device=device)[:, None] / 1e6 ** (torch.arange(0, D, 2, device=device) / D)
        self.register_buffer("cos", torch.cat([angle.cos()] * 2, -1))
        self.register_buffer("sin", torch.cat([angle.sin()] * 2, -1))

    def rotate(self, x, at):  # (B, heads, T, D); at: (T) positions
        turned = torch.cat([-x[..., D // 2 :], x[..., : D // 2]], -1)
        return (x * self.cos[at] + turned * self.sin[at]).to(x.dtype)

    def forward(self, tokens, at, cache=None, seen=None):
        """(B, T) -> (B, T, C). cache: per layer (k, v) of (B, K, room, D), written at `at`; seen: (room) keys that count."""
        B, T = tokens.shape
        x = F.embedding(tokens, self.embed)
        for layer, w in enumerate(self.blocks):
            h = F.rms_norm(x, (C,), w["norm1"], 1e-6)
            q, k, v = (h @ w["qkv"].t()).view(B, T, H + 2 * K, D).transpose(1, 2).split([H, K, K], 1)
            if m["family"] == "qwen3":
                q, k = F.rms_norm(q, (D,), w["q_norm"], 1e-6), F.rms_norm(k, (D,), w["k_norm"], 1e-6)
            q, k = self.rotate(q, at), self.rotate(k, at)
            if cache is not None:
                cache[layer][0].index_copy_(2, at, k)
                cache[layer][1].index_copy_(2, at, v)
            if seen is None:
                a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=H != K)
            else:
                a = F.scaled_dot_product_attention(q, *cache[layer], attn_mask=seen, enable_gqa=H != K)
            x = x + a.transpose(1, 2).reshape(B, T, H * D) @ w["o"].t()
            gate, up = (F.rms_norm(x, (C,), w["norm2"], 1e-6) @ w["gate_up"].t()).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ w["down"].t()
        return F.rms_norm(x, (C,), self.norm, 1e-6)


def train():
    T = s["length"]
    model = Decoder(torch.float32, T)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
    tokens = torch.randint(m["vocabulary"], (s["tokens"] // T, T), device=device)
    at, per_pass = torch.arange(T, device=device), max(1, s["microBatchTokens"] // T)

    def loss_of(part):
        hidden = model(part, at)[:, :-1]
        return F.cross_entropy((hidden @ model.embed.t()).flatten(0, 1).float(), part[:, 1:].flatten(), reduction="sum")

    run = torch.compile(loss_of) if s["compile"] else loss_of

    def step(_request):
        for part in tokens.split(per_pass):
            with torch.autocast(device.type, torch.bfloat16):
                loss = run(part)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        wait()

    return step


def decode():
    prompts, G, P, N = s["prompts"], s["samples"], s["promptTokens"], s["newTokens"]
    B, room = prompts * G, P + N
    model = Decoder(torch.bfloat16, room).eval()
    tokens = torch.randint(m["vocabulary"], (prompts, P), device=device)
    cache = [[torch.zeros(B, K, room, D, device=device, dtype=torch.bfloat16) for _ in "kv"] for _ in model.blocks]
    last, logprob = torch.zeros(B, 1, dtype=torch.long, device=device), torch.zeros(B, 1, device=device)
    position = torch.full((1,), P, device=device)
    places = torch.arange(room, device=device)

    def sample(hidden):
        z = torch.log_softmax((hidden @ model.embed.t()).float(), -1)
        # The largest of log p + Gumbel noise is a sample.
        last.copy_((z - torch.empty_like(z).exponential_().log()).argmax(-1, keepdim=True))
        logprob.copy_(z.gather(-1, last))

    def one():
        hidden = model(last, position, cache, (places <= position)[None, None, None])
        sample(hidden[:, -1])
        position.add_(1)

    def begin():
        small = [[torch.zeros(prompts, K, P, D, device=device, dtype=torch.bfloat16) for _ in "kv"] for _ in model.blocks]
        hidden = model(tokens, places[:P], small)
        for whole, part in zip(cache, small):
            for to, source in zip(whole, part):
                to[:, :, :P].copy_(source.repeat_interleave(G, 0))
        position.fill_(P)
        sample(hidden[:, -1].repeat_interleave(G, 0))

    graph = None
    with torch.inference_mode():
        begin()
        if on_card:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                one()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                one()

    @torch.inference_mode()
    def generate(_request):
        begin()
        out = []
        for _ in range(N - 1):
            graph.replay() if graph else one()
            out.append((last.clone(), logprob.clone()))
        wait()

    return generate


def op(name, shape):
    numbers = lambda *shape: torch.randn(*shape, device=device, dtype=torch.bfloat16)
    if name == "gemm_nt":
        M, N, depth = shape
        x, w, out = numbers(M, depth), numbers(N, depth), numbers(M, N)
        return lambda: torch.mm(x, w.t(), out=out)
    B, T, heads, kv, width = shape
    q, k, v = (numbers(B, n, T, width).requires_grad_() for n in (heads, kv, kv))
    forward = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=heads != kv)
    if name == "attention_forward":
        return forward
    a = forward()
    d = torch.randn_like(a)
    return lambda: torch.autograd.grad(a, (q, k, v), d, retain_graph=True)


def windows(run):
    """Median seconds of one, as native/device/bench.cc measures: `warmUp` seconds of work, then ten windows of a tenth of it."""

    def seconds_of(times):
        wait()
        start = time.perf_counter()
        for _ in range(times):
            run()
        wait()
        return time.perf_counter() - start

    times, total = 1, seconds_of(1)
    while True:
        last = seconds_of(times)
        times = max(1, min(5000, int(s["warmUp"] / 10 * times / max(last, 1e-7))))
        total += last
        if total >= s["warmUp"]:
            return statistics.median(seconds_of(times) / times for _ in range(10))


def ops():
    known = {"of": None, "run": None}

    def one(request):
        of = (request["op"], request["shape"])
        if known["of"] != of:
            known.update(of=None, run=None)  # its memory first
            if on_card:
                torch.cuda.empty_cache()
            known.update(of=of, run=op(*of))
        return windows(known["run"])

    return one


repeat = {"train": train, "decode": decode, "ops": ops}[s["what"]]()
if s["what"] != "ops":
    repeat(None)
peer.serve(repeat, version=f"torch {torch.__version__}{', compiled' if s.get('compile') else ''}")
