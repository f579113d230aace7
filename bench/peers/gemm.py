"""x (M, K) times W (N, K) transposed, fp32; a request names the shape and the engine.

torch: torch.nn.functional.linear as everyone calls it (MKL behind it on x86).
onednn: oneDNN's inner product with both operands in its own layout, result left there too.
"""
import time

import peer
import torch

s = peer.settings()
torch.set_num_threads(s["threads"])
current = {}


def operation(request):
    key = tuple(request[name] for name in ("m", "n", "k", "engine"))
    if key not in current:
        current.clear()
        M, N, K, engine = key
        x, w = torch.randn(M, K), torch.randn(N, K)
        if engine == "onednn":
            x, w = x.to_mkldnn(), w.to_mkldnn()
            call = lambda: torch.ops.aten.mkldnn_linear(x, w)
        else:
            call = lambda: torch.nn.functional.linear(x, w)
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            call()
        current[key] = call
    return current[key]


@torch.inference_mode()
def multiply(request):
    call = operation(request)
    seconds = []
    for _ in range(request["repeats"]):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


peer.serve(multiply, version=f"torch {torch.__version__}")
