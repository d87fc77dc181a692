/** Fixes for the errors of the YAML parser. */

/** By the parser's error code. */
const FIXES: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'write out the value that the alias stands for',
  BAD_INDENT: 'correct the indentation here, or close a bracket above',
  BAD_SCALAR_START: 'put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'put the value in quotes if its colon is text, or begin the inner mapping on a new line',
  DUPLICATE_KEY: 'keep one of the keys',
  MISSING_CHAR: 'add the missing character',
  MULTILINE_IMPLICIT_KEY: 'add the colon and the space after the key',
  MULTIPLE_DOCS: 'keep one',
  TAB_AS_INDENT: 'indent with spaces',
}

/** Returns what to do about an error with this code. */
export function findYamlFix(code: string): string {
  return FIXES[code] ?? 'correct the YAML at this place'
}
