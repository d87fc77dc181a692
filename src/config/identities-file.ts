/** The identities file: YAML text → entries, or all its mistakes, each with its place in the file. */
import { LineCounter, parseDocument } from 'yaml'
import type * as z from 'zod/mini'
import { comparableResource } from '../resource.ts'
import { IdentitiesFile, type IdentityEntry } from './identities-schema.ts'

/** What the environment gives to identities that do not say it themselves. */
export interface IdentityDefaults {
  readonly tenantId?: string
  readonly tokenFile?: string
}

interface ReadIdentities {
  /** Empty unless `mistakes` is. */
  readonly entries: readonly IdentityEntry[]
  /** `LINE:COLUMN: identities[1].clientId: what is wrong`, in the order of the file; the first of many. */
  readonly mistakes: readonly string[]
}

type Path = readonly PropertyKey[]
interface Mistake {
  readonly path: Path
  readonly text: string
}

/** Nobody reads more of them, and a file that is none of ours has one in each line. */
const MAX_MISTAKES = 20

/** Reads the text of an identities file. */
export function readIdentities(text: string, defaults: IdentityDefaults): ReadIdentities {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
  const placeOf = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset)
    return `${line}:${col}`
  }
  if (document.errors.length > 0) {
    return failed(
      document.errors
        .slice(0, MAX_MISTAKES)
        .map(({ pos, message }) => `${placeOf(pos[0])}: is not YAML: ${message}`)
        .concat(furtherThan(document.errors)),
    )
  }
  let content: unknown
  try {
    content = document.toJS()
  } catch (error) {
    // An alias of nothing, or one of an alias of an alias …: a few lines that stand for gigabytes.
    return failed([`1:1: cannot be read: ${error instanceof Error ? error.message : 'bad YAML'}`])
  }
  const parsed = IdentitiesFile.safeParse(content)
  const found = parsed.success
    ? mistakesBetween(parsed.data.identities, defaults)
    : parsed.error.issues.flatMap((issue) => mistakesOf(issue, content))
  const located = found
    .slice(0, MAX_MISTAKES)
    .map(({ path, text: what }) => ({ offset: offsetOf(path), line: `${nameOf(path)}${what}` }))
    .toSorted((a, b) => a.offset - b.offset)
  return {
    entries: parsed.success && located.length === 0 ? parsed.data.identities : [],
    mistakes: [
      ...located.map(({ offset, line }) => `${placeOf(offset)}: ${line}`),
      ...furtherThan(found),
    ],
  }

  /** Where the value at a path is; where it should be, if it is missing. */
  function offsetOf(path: Path): number {
    for (let length = path.length; length >= 0; length -= 1) {
      const node: unknown = document.getIn(path.slice(0, length), true)
      const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : null
      if (Array.isArray(range) && typeof range[0] === 'number') return range[0]
    }
    return 0
  }
}

/** How many are not told, in words. */
function furtherThan(found: readonly unknown[]): string[] {
  const more = found.length - MAX_MISTAKES
  return more > 0 ? [` and ${more} more`] : []
}

function failed(mistakes: readonly string[]): ReadIdentities {
  return { entries: [], mistakes }
}

/** What one issue of the schema says, in words. */
function mistakesOf(issue: z.core.$ZodIssue, content: unknown): Mistake[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], text: 'is not a known setting' }))
  }
  if (issue.code === 'invalid_type') {
    const isMissing = valueAt(content, path) === undefined
    return [{ path, text: isMissing ? 'is missing' : `must be ${KINDS[issue.expected] ?? 'else'}` }]
  }
  return [{ path, text: issue.code === 'too_small' ? 'must not be empty' : issue.message }]
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
}

function valueAt(content: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    return Reflect.get(value, key)
  }, content)
}

/** What is wrong with entries that are each in order. */
function mistakesBetween(entries: readonly IdentityEntry[], defaults: IdentityDefaults): Mistake[] {
  const mistakes: Mistake[] = []
  const at = (index: number, key: string, text: string) =>
    mistakes.push({ path: ['identities', index, key], text })
  for (const [index, entry] of entries.entries()) {
    for (const key of ['name', 'clientId', 'objectId', 'resourceId'] as const) {
      const first = entries.findIndex((other) => other[key] === entry[key])
      if (entry[key] !== undefined && first < index)
        at(index, key, `is that of identities[${first}]`)
    }
    // Without a name an identity is known by its client id.
    const bearer = entries.findIndex(({ clientId }) => clientId === entry.name?.toLowerCase())
    if (bearer >= 0 && bearer !== index)
      at(index, 'name', `is the client id of identities[${bearer}]`)
    const firstDefault = entries.findIndex((other) => other.default === true)
    if (entry.default === true && firstDefault < index) {
      at(index, 'default', `is set for identities[${firstDefault}] too`)
    }
    if (entry.tenantId === undefined && defaults.tenantId === undefined) {
      at(index, 'tenantId', 'is missing; set it, or AZURE_TENANT_ID for all')
    }
    if (entry.tokenFile === undefined && defaults.tokenFile === undefined) {
      at(index, 'tokenFile', 'is missing; set it, or AZURE_FEDERATED_TOKEN_FILE for all')
    }
    const allowed = entry.resources?.map(comparableResource)
    for (const [position, wanted] of (entry.prefetch ?? []).entries()) {
      if (allowed === undefined || allowed.includes(comparableResource(wanted))) continue
      const path = ['identities', index, 'prefetch', position]
      mistakes.push({ path, text: 'is not one of its resources' })
    }
  }
  return mistakes
}

/** `identities[1].clientId: `; nothing for the file as a whole. */
function nameOf(path: Path): string {
  const name = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
  return name === '' ? '' : `${name}: `
}
