/** The types of a zod schema in the words of YAML's users. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

/** Formats the type that a schema expected as `a list`. */
export function formatKind(expected: string): string {
  return KINDS[expected] ?? expected
}
