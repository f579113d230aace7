"""TRL's GRPOTrainer on the CPU: one optimiser step (rollout, reward, update) per line of standard input."""
import os
import tempfile
import time

# Nothing here needs a network: the model, the tokenizer and the prompts are made on the spot.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TRL_EXPERIMENTAL_SILENCE="1", TOKENIZERS_PARALLELISM="false")

import peer
import torch
import transformers
import trl
from datasets import Dataset
from llama import hugging_face
from tokenizers import Tokenizer, models, pre_tokenizers

s = peer.settings()
torch.set_num_threads(s["threads"])
transformers.logging.set_verbosity_error()
V, P, N = s["model"]["vocabulary"], s["promptTokens"], s["newTokens"]
prompts, samples = s["prompts"], s["samplesPerPrompt"]
rows = prompts * samples

words = {"<pad>": 0, "<eos>": 1} | {f"w{i}": i for i in range(2, V)}
vocabulary = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
vocabulary.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=vocabulary, pad_token="<pad>", eos_token="<eos>", padding_side="left")

generator = torch.Generator().manual_seed(0)
ids = torch.randint(2, V, (prompts * 64, P), generator=generator)
data = Dataset.from_dict({"prompt": [" ".join(f"w{i}" for i in row) for row in ids.tolist()]})


def even_tokens(completion_ids, **_):
    assert all(len(c) == N for c in completion_ids), "a completion ended early"
    return [sum(t % 2 == 0 for t in c) / N for c in completion_ids]


class OnePerLine(transformers.TrainerCallback):
    """Blocks before each optimiser step until a line arrives; the first `warm` steps run on their own."""

    def __init__(self, warm):
        self.warm = warm

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.warm:
            peer.say(ready=True, version=f"trl {trl.__version__}", parameters=sum(p.numel() for p in model.parameters()))
        if state.global_step >= self.warm and peer.wait() is None:
            os._exit(0)  # the parent has what it wanted; nothing is to be saved
        self.start = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step > self.warm:
            peer.say(seconds=time.perf_counter() - self.start)


torch.manual_seed(0)
model = hugging_face(s["model"])
config = trl.GRPOConfig(
    output_dir=tempfile.mkdtemp(), use_cpu=True, bf16=False, seed=0,
    max_steps=100_000, num_train_epochs=1, learning_rate=1e-4, lr_scheduler_type="constant", max_grad_norm=1.0,
    # One optimiser step is one generation batch of prompts x samples and one backward pass over it.
    per_device_train_batch_size=rows, gradient_accumulation_steps=1, num_generations=samples, num_iterations=1,
    max_completion_length=N, temperature=1.0, beta=0.0, generation_kwargs={"min_new_tokens": N, "max_new_tokens": N},
    gradient_checkpointing=False, logging_strategy="no", save_strategy="no", eval_strategy="no", report_to="none",
    disable_tqdm=True, dataloader_num_workers=0, dataloader_pin_memory=False)
trainer = trl.GRPOTrainer(model=model, reward_funcs=even_tokens, args=config, train_dataset=data,
                          processing_class=tokenizer, callbacks=[OnePerLine(warm=2)])
trainer.train()
