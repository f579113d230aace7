/** The text, or its first `longest` UTF-16 code units and how many more there were: a model cannot read a file of a megabyte. */
export const shortened = (text: string, longest: number): string =>
  text.length <= longest ? text : `${text.slice(0, longest)}... (${text.length - longest} characters more)`;
