/**
 * Parses YAML in linear time, and finds the place of each value. Rejects aliases: with them, a short text can have any number
 * of values.
 */
import type * as Yaml from 'yaml'
import type { Problem } from '../lib/errors.ts'

export type Path = readonly PropertyKey[]

/** Parses one document. Returns its content, or its problems as `LINE:COLUMN: …`. */
export async function parseYaml(text: string) {
  // Loaded on demand: most sidecars have no YAML file. In a bundle, `default` is the only export of this
  // CommonJS package.
  const { default: yaml } = await import('yaml')
  const lines = new yaml.LineCounter()
  /** Formats an offset as `LINE:COLUMN`. */
  const formatPlace = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${line}:${col}`
  }
  const locate = (offset: number, problem: string, fix: string): Problem => ({
    problem: `${formatPlace(offset)}: ${problem}`,
    fix,
  })
  // The library's check of `uniqueKeys` takes quadratic time: it compares each key with all keys before it.
  const options = { prettyErrors: false, logLevel: 'error', uniqueKeys: false } as const
  const document = yaml.parseDocument(text, { lineCounter: lines, ...options })
  const problems = document.errors.map(({ pos: [offset], message, code }) =>
    code === 'MULTIPLE_DOCS'
      ? locate(offset, 'has more than one document', 'keep one')
      : locate(offset, `is not YAML: ${message}`, 'correct the YAML here'),
  )
  if (problems.length > 0) return { problems }
  try {
    const problem = findStructureProblem(document, yaml, locate)
    if (problem !== undefined) return { problems: [problem] }
    const content: unknown = document.toJS()
    return { content, findOffset: (path: Path) => findOffset(document, path), formatPlace }
  } catch (error) {
    // The nesting is too deep for the stack.
    const reason = error instanceof Error ? error.message : 'bad YAML'
    return { problems: [locate(0, `cannot be read: ${reason}`, 'nest less deeply')] }
  }
}

function findStructureProblem(
  document: Yaml.Document,
  { visit, isScalar }: Pick<typeof Yaml, 'visit' | 'isScalar'>,
  locate: (offset: number, problem: string, fix: string) => Problem,
): Problem | undefined {
  let found: Problem | undefined
  visit(document, {
    Alias: (_, { range }) => {
      found = locate(range?.[0] ?? 0, 'is an alias', 'write the value out')
      return visit.BREAK
    },
    Map: (_, { items }) => {
      const keys = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (keys.has(key.value)) {
          found = locate(key.range?.[0] ?? 0, 'repeats a key', 'keep one of the two')
          return visit.BREAK
        }
        keys.add(key.value)
      }
      return undefined
    },
  })
  return found
}

/** Returns the offset of the value at a path, or of its closest parent if it is missing. */
function findOffset(document: Yaml.Document, path: Path): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true)
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : null
    if (Array.isArray(range) && typeof range[0] === 'number') return range[0]
  }
  return 0
}
