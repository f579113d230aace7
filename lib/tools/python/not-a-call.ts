/** Python would not take this text, or it is more than a call with literals; the message is that of the exception. */
export class NotACall extends Error {
  override readonly name: string = 'NotACall';
}

/** A name where a value belongs: Python looks it up and finds nothing. */
export class UndefinedName extends NotACall {
  override readonly name = 'UndefinedName';

  constructor(name: string) {
    super(`name '${name}' is not defined`);
  }
}
