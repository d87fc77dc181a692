/** Parses the identities file: YAML with entries. Each problem has its line and column. */
import * as z from 'zod/mini'
import { resolveLoginHost } from '../../lib/clouds.ts'
import type { Problem } from '../../lib/errors.ts'
import { describeFileError, readRegularFile } from '../../lib/files.ts'
import { isGuid } from '../../lib/grammars.ts'
import {
  authorityHost,
  choice,
  createSchema,
  formatKind,
  guid,
  matching,
  quote,
  reject,
  resource,
  tenant,
} from './parsers.ts'
import { suggest } from '../../lib/suggest.ts'
import { normalizeResource } from '../../lib/resource.ts'
import { parseYaml, type Path } from './yaml.ts'

/** Enough for thousands of identities, and little enough to parse quickly. */
const MAX_FILE_BYTES = 131_072
/** A file of another kind has a problem in each line, more than people read. */
const MAX_PROBLEMS = 20

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,119}$/
const ARM_ID = /^(?:\/[^\s/]+)+$/

const name = createSchema((text) => {
  if (!NAME.test(text)) {
    reject(text, 'up to 120 letters, digits, blanks and . _ -, the first a letter or digit')
  }
  // `assertionFrom` names an identity without a name by its client id, in any case.
  return isGuid(text) ? text.toLowerCase() : text
})

const resourceId = createSchema((text) => {
  if (!ARM_ID.test(text)) reject(text, 'an Azure resource id, /subscriptions/…')
  return text.toLowerCase()
})

const tokenFile = matching(/^\//, 'an absolute path')

/** The largest one; the next number means none. */
const MAX_UID = 4_294_967_294

const uid = z.number().check(
  z.refine((value) => Number.isInteger(value) && value >= 0 && value <= MAX_UID, {
    error: ({ input }) => `must be a uid from 0 to ${MAX_UID}, not ${String(input)}`,
  }),
)

const IdentityEntry = z.strictObject({
  name: z.optional(name),
  clientId: guid,
  tenantId: z.optional(tenant),
  objectId: z.optional(guid),
  resourceId: z.optional(resourceId),
  authorityHost: z.optional(authorityHost),
  tokenFile: z.optional(tokenFile),
  exchangeVia: z.optional(choice('entra', 'token-proxy')),
  assertionFrom: z.optional(name),
  resources: z.optional(z.array(resource).check(z.minLength(1))),
  allowedUids: z.optional(z.array(uid).check(z.minLength(1))),
  prefetch: z.optional(z.array(resource)),
  default: z.optional(z.boolean()),
})

export type IdentityEntry = z.infer<typeof IdentityEntry>

/** The schema of the file. docs/identities.schema.json describes the same to editors. */
export const IdentitiesSchema = z.strictObject({
  identities: z.array(IdentityEntry).check(z.minLength(1)),
})

/** The values of the environment that apply to identities without their own. */
export interface IdentityDefaults {
  readonly tenantId?: string | undefined
  readonly tokenFile?: string | undefined
  /** Undefined: not known, so that entries without their own are not compared with others. */
  readonly authorityHost?: string | undefined
}

/** The content of a file; `entries` is empty if there are problems. */
export interface IdentitiesFile {
  readonly path: string
  readonly text: string
  readonly entries: readonly IdentityEntry[]
  /** `PATH:LINE:COLUMN: identities[1].clientId: …` of WIMDS_CONFIG, in the order of the file. */
  readonly problems: readonly Problem[]
}

export type ReadText = (path: string) => Promise<string>

/** Reads the text of an identities file, at most one byte more than is allowed. */
export const readIdentitiesText: ReadText = (path) => readRegularFile(path, MAX_FILE_BYTES + 1)

/** Reads and parses the file at `path`. */
export async function readIdentitiesFile(
  path: string,
  defaults: IdentityDefaults,
  readText: ReadText,
): Promise<IdentitiesFile> {
  const setting = 'WIMDS_CONFIG'
  let text: string
  try {
    text = await readText(path)
  } catch (error) {
    const problems = [{ setting, ...describeFileError(path, error) }]
    return { path, text: '', entries: [], problems }
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    const problem = `${path} is larger than 128 KiB`
    return { path, text, entries: [], problems: [{ setting, problem }] }
  }
  const { entries, problems } = await parseIdentities(text, defaults)
  return {
    path,
    text,
    entries,
    problems: problems.map(({ problem, fix }) => ({ setting, problem: `${path}:${problem}`, fix })),
  }
}

interface EntryProblem {
  readonly path: Path
  readonly text: string
  /** True if the key is wrong, and not its value. */
  readonly isOfKey?: boolean
}

/** Parses the text of an identities file. Its time is linear in the text's length. */
export async function parseIdentities(
  text: string,
  defaults: IdentityDefaults,
): Promise<Pick<IdentitiesFile, 'entries' | 'problems'>> {
  const yaml = await parseYaml(text)
  if ('problems' in yaml)
    return { entries: [], problems: truncateProblems(yaml.problems, yaml.problems.length) }
  const { content, findOffset, findKeyOffset, formatPlace } = yaml
  const parsed = IdentitiesSchema.safeParse(content)
  const found = parsed.success
    ? findConflicts(parsed.data.identities, defaults)
    : [
        ...parsed.error.issues.flatMap((issue) => toProblems(issue, content)),
        ...findConflictsOfValid(getIn(content, ['identities']), defaults),
      ]
  if (parsed.success && found.length === 0) return { entries: parsed.data.identities, problems: [] }
  const problems = found
    .slice(0, MAX_PROBLEMS)
    .map(({ path, text: reason, isOfKey }) => ({
      offset: isOfKey === true ? findKeyOffset(path) : findOffset(path),
      path,
      reason,
    }))
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, path, reason }) => ({
      problem: `${formatPlace(offset)}: ${formatPath(path)}${reason}`,
    }))
  return { entries: [], problems: truncateProblems(problems, found.length) }
}

/** Returns the first problems, and how many more there are of all. */
function truncateProblems(problems: readonly Problem[], count: number): Problem[] {
  const more = count - MAX_PROBLEMS
  const rest = more > 0 ? [{ problem: ` and ${more} more` }] : []
  return [...problems.slice(0, MAX_PROBLEMS), ...rest]
}

/** Formats `identities[1].clientId: `; nothing for the file as a whole. A key may be any text, and even a list. */
function formatPath(path: Path): string {
  const formatted = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${formatName(String(key))}`))
    .join('')
    .replace(/^\./, '')
  return formatted === '' ? '' : `${formatted}: `
}

const formatName = (key: string): string => (/^\w{1,60}$/.test(key) ? key : quote(key))

/** Converts an issue of the schema into problems. */
function toProblems(issue: z.core.$ZodIssue, content: unknown): EntryProblem[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys((path.length === 0 ? IdentitiesSchema : IdentityEntry).shape)
    return issue.keys.map((key) => ({
      path: [...path, key],
      text: `is not a known setting${suggest(key, known)}`,
      isOfKey: true,
    }))
  }
  if (issue.code === 'invalid_type') {
    const isMissing = getIn(content, path) === undefined
    return [{ path, text: isMissing ? 'is missing' : `must be ${formatKind(issue.expected)}` }]
  }
  return [{ path, text: issue.code === 'too_small' ? 'must not be empty' : issue.message }]
}

function getIn(content: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    return Reflect.get(value, key)
  }, content)
}

/** Finds the conflicts between the valid entries of a file that has others too. */
function findConflictsOfValid(items: unknown, defaults: IdentityDefaults): EntryProblem[] {
  if (!Array.isArray(items)) return []
  const entries = items.map((item) => IdentityEntry.safeParse(item).data)
  const invalid = items.filter((_, index) => entries[index] === undefined)
  const names = invalid
    .flatMap((item) => [getIn(item, ['name']), getIn(item, ['clientId'])])
    .filter((value) => typeof value === 'string')
    .flatMap((text) => [text, text.toLowerCase()])
  return findConflicts(entries, defaults, names)
}

/**
 * Finds conflicts between entries that are each valid; undefined stands for one that is not. `invalidNames` are the
 * names and client ids of those, which `assertionFrom` may name.
 */
function findConflicts(
  entries: readonly (IdentityEntry | undefined)[],
  defaults: IdentityDefaults,
  invalidNames: readonly string[] = [],
): EntryProblem[] {
  const problems: EntryProblem[] = []
  const addProblem = (index: number, key: string, text: string) =>
    problems.push({ path: ['identities', index, key], text })
  // The first index of each value, by its key; a name may not be another identity's client id either.
  const seen = new Map<string, number>()
  const clientIds = new Map(
    entries.map((entry, index) => [entry?.clientId, index] as const).toReversed(),
  )
  const byName = new Map([
    ...invalidNames.map((each) => [each, undefined] as const),
    ...entries.map((entry) => [entry?.name ?? entry?.clientId, entry] as const),
  ])
  const firstDefault = entries.findIndex((entry) => entry?.default === true)
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined) continue
    for (const key of ['name', 'clientId', 'objectId', 'resourceId'] as const) {
      if (entry[key] === undefined) continue
      const first = seen.get(`${key} ${entry[key]}`)
      if (first === undefined) seen.set(`${key} ${entry[key]}`, index)
      else addProblem(index, key, `repeats that of identities[${first}]`)
    }
    const owner = clientIds.get(entry.name?.toLowerCase() ?? '')
    if (owner !== undefined && owner !== index) {
      addProblem(index, 'name', `is the client id of identities[${owner}]`)
    }
    if (entry.default === true && firstDefault < index) {
      addProblem(index, 'default', `is already set for identities[${firstDefault}]`)
    }
    if (entry.tenantId === undefined && defaults.tenantId === undefined) {
      addProblem(index, 'tenantId', 'is missing; set it, or AZURE_TENANT_ID for all')
    }
    for (const { key, text } of findChainProblems(entry, byName, defaults))
      addProblem(index, key, text)
    if (
      entry.tokenFile === undefined &&
      entry.assertionFrom === undefined &&
      defaults.tokenFile === undefined
    ) {
      addProblem(index, 'tokenFile', 'is missing; set it, or AZURE_FEDERATED_TOKEN_FILE for all')
    }
    const allowed = entry.resources && new Set(entry.resources.map(normalizeResource))
    for (const [position, wanted] of (entry.prefetch ?? []).entries()) {
      if (allowed === undefined || allowed.has(normalizeResource(wanted))) continue
      const path = ['identities', index, 'prefetch', position]
      problems.push({ path, text: 'is not one of its resources' })
    }
  }
  return problems
}

/** Finds the problems of `assertionFrom`: a chain has one step, within one cloud. */
function findChainProblems(
  { name: ownName, clientId, assertionFrom, ...entry }: IdentityEntry,
  byName: ReadonlyMap<string | undefined, IdentityEntry | undefined>,
  defaults: IdentityDefaults,
): { key: string; text: string }[] {
  if (assertionFrom === undefined) return []
  const problems = (['tokenFile', 'exchangeVia'] as const)
    .filter((key) => entry[key] !== undefined)
    .map((key) => ({
      key,
      text: 'conflicts with assertionFrom: the identity that it names has it',
    }))
  const source = byName.get(assertionFrom)
  if (source === undefined && byName.has(assertionFrom)) return problems
  const host = entry.authorityHost ?? defaults.authorityHost
  const sourceHost = source?.authorityHost ?? defaults.authorityHost
  const text =
    source === undefined
      ? 'names no identity of this file'
      : assertionFrom === (ownName ?? clientId)
        ? 'names the identity itself'
        : source.assertionFrom !== undefined
          ? 'names an identity that has an assertionFrom itself: a chain has one step'
          : !isSameCloud(host, sourceHost)
            ? `names an identity whose authorityHost is ${sourceHost}, and that of this one is ${host}: both must be in one cloud`
            : undefined
  return text === undefined ? problems : [...problems, { key: 'assertionFrom', text }]
}

function isSameCloud(host: string | undefined, other: string | undefined): boolean {
  if (host === undefined || other === undefined) return true
  return resolveLoginHost(host) === resolveLoginHost(other)
}
