// SPDX-License-Identifier: Apache-2.0
// JSON as strict as the device reads it, with Node's own parser: what is signed here must be read there as it was meant.

/**
 * As JSON.parse(), but an object with the same property twice is an error, and so is an integer beyond 2^53.
 * @throws SyntaxError
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // The text is well-formed, so tokens can be told apart by their first character alone.
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(null);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const end = endOfString(text, i);
      const names = open.at(-1);
      if (names != null && text.slice(end).trimStart().startsWith(":")) {
        const name = JSON.parse(text.slice(i, end)) as string;
        if (names.has(name)) throw new SyntaxError(`property ${JSON.stringify(name)} is there twice`);
        names.add(name);
      }
      i = end - 1;
    }
  }
  checkNumbers(value);
  return value;
}

/** The index after the closing quote. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text.charAt(i) !== '"') i += text.charAt(i) === "\\" ? 2 : 1;
  return i + 1;
}

function checkNumbers(value: unknown): void {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new SyntaxError(`the number ${value} is too large to be exact`);
  }
  if (typeof value === "object" && value !== null) for (const item of Object.values(value)) checkNumbers(item);
}
