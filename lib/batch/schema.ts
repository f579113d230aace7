// The columns of a rollout batch, defined here and nowhere else. One row per sampled completion.
// Native code reads and writes these columns by name (native/io/batch.h); rollouts/step-*.arrow holds them all.
import { Bool, Dictionary, Field, Float32, Int8, Int32, List, Schema, Utf8 } from 'apache-arrow';

const list = (type: Int32 | Float32 | Bool): List => new List(new Field('item', type, false));
const text = (id: number): Dictionary => new Dictionary(new Utf8(), new Int32(), id);

/** Written by the sampler. List columns run over prompt + completion and share their offsets. */
export const GENERATED_FIELDS: readonly Field[] = [
  new Field('tokens', list(new Int32()), false),
  /** True on completion tokens: those that are trained on. */
  new Field('loss_mask', list(new Bool()), false),
  /** Log-probability of the distribution sampled from (temperature and filters); 0 on the prompt. */
  new Field('logprob', list(new Float32()), false),
  /** Log-probability at temperature 1 without filters; 0 on the prompt. */
  new Field('raw_logprob', list(new Float32()), false),
  new Field('prompt_length', new Int32(), false),
  /** 0 stop token, 1 stop sequence, 2 length. */
  new Field('finish_reason', new Int8(), false),
];

/** Added by the loop. */
export const LEARNING_FIELDS: readonly Field[] = [
  new Field('group_id', new Int32(), false),
  /** Which attempt of the group. In an environment of several turns an attempt has a row for every turn it took. */
  new Field('attempt', new Int32(), false),
  new Field('environment', text(0), false),
  /** improve, diverge or base. */
  new Field('mode', text(1), false),
  /** Which instance of the environment (its seed). */
  new Field('instance', new Int32(), false),
  new Field('turn', new Int32(), false),
  /** Self-iteration steps before this one: 0 for a base task. */
  new Field('depth', new Int32(), false),
  /** The environment's graded quality in [0, 1]; null when it could not be judged. */
  new Field('quality', new Float32(), true),
  new Field('reward', new Float32(), true),
  new Field('advantage', new Float32(), false),
];

export const ROLLOUT_SCHEMA: Schema = new Schema([...GENERATED_FIELDS, ...LEARNING_FIELDS]);

/** Optional columns that the update understands beside those above: lists aligned with `tokens`. */
export const OPTIONAL_UPDATE_COLUMNS = ['old_logprob', 'ref_logprob', 'token_advantage'] as const;
