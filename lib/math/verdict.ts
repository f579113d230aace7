// What a comparison says.

export interface Verdict {
  readonly equal: boolean;
  /** Which rule decided. */
  readonly rule: string;
}

export const same = (rule: string): Verdict => ({ equal: true, rule });
export const different = (rule: string): Verdict => ({ equal: false, rule });
