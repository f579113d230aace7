/** Token ids that grow in number. */
export class TokenList {
  length = 0;
  private ids = new Int32Array(64);

  push(id: number): void {
    if (this.length === this.ids.length) this.grow(this.length + 1);
    this.ids[this.length++] = id;
  }

  append(ids: Int32Array): void {
    const end = this.length + ids.length;
    if (end > this.ids.length) this.grow(end);
    // Pieces are short: a loop is faster than TypedArray.set.
    for (let i = 0; i < ids.length; i++) this.ids[this.length + i] = ids[i]!;
    this.length = end;
  }

  /** A copy of the ids. */
  take(): Int32Array {
    return this.ids.slice(0, this.length);
  }

  copy(): TokenList {
    const copy = new TokenList();
    copy.ids = this.ids.slice();
    copy.length = this.length;
    return copy;
  }

  private grow(least: number): void {
    const larger = new Int32Array(Math.max(least, this.ids.length * 2));
    larger.set(this.ids.subarray(0, this.length));
    this.ids = larger;
  }
}
