import { stringify } from 'yaml'

/** Ways to print the same data. */
export const PRINTERS: readonly ((value: unknown) => string)[] = [
  (value) => stringify(value, PLAIN),
  (value) => stringify(value, { ...PLAIN, indentSeq: false }),
  (value) => stringify(value, { ...PLAIN, indent: 4 }),
  (value) => stringify(value, { ...PLAIN, collectionStyle: 'flow' }),
  (value) => stringify(value, { ...PLAIN, defaultStringType: 'PLAIN' }),
  (value) => stringify(value, { ...PLAIN, defaultStringType: 'BLOCK_LITERAL' }),
  (value) => stringify(value, PLAIN).trimEnd(),
  (value) => stringify(value, PLAIN).replaceAll('\n', '\r\n'),
  (value) => `# before\n---\n${stringify(value, PLAIN)}\n\n# behind\n`,
  (value) => JSON.stringify(value),
  (value) => `${JSON.stringify(value, null, 2)}\n`,
  (value) => JSON.stringify(value, null, '    '),
]
const PLAIN = {
  aliasDuplicateObjects: false,
  lineWidth: 0,
  defaultStringType: 'QUOTE_DOUBLE',
} as const
