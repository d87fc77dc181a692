/** Parses the identities file: YAML with entries. Each problem has its line and column. */
import * as z from 'zod/mini'
import type { Problem } from '../../lib/errors.ts'
import { describeFileError, errorCode } from '../../lib/describe-error.ts'
import { readRegularFile } from '../../lib/files.ts'
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
} from '../../service/parsers.ts'
import { suggest } from '../../lib/suggest.ts'
import { normalizeResource } from '../../lib/resource.ts'
import { parseYaml, type Path } from '../../service/yaml.ts'
import type { ParsedSettings } from './settings.ts'

/** Enough for thousands of identities, and little enough to parse quickly. */
const MAX_FILE_BYTES = 131_072
/** A file of another kind has a problem in each line, more than people read. */
const MAX_PROBLEMS = 20

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,119}$/
const ARM_ID = /^(?:\/[^\s/]+)+$/

const name = matching(
  NAME,
  'up to 120 letters, digits, blanks and . _ -, the first a letter or digit',
)

const resourceId = createSchema((text) => {
  if (!ARM_ID.test(text)) reject(text, 'an Azure resource id, /subscriptions/…')
  return text.toLowerCase()
})

const tokenFile = matching(/^\//, 'an absolute path')

const list = <T>(item: z.ZodMiniType<T>, minLength = 1) =>
  z.array(item).check(z.minLength(minLength))

const IdentityEntry = z.strictObject({
  name: z.exactOptional(name),
  clientId: guid,
  tenantId: z.exactOptional(tenant),
  objectId: z.exactOptional(guid),
  resourceId: z.exactOptional(resourceId),
  authorityHost: z.exactOptional(authorityHost),
  tokenFile: z.exactOptional(tokenFile),
  exchangeVia: z.exactOptional(choice('entra', 'token-proxy')),
  resources: z.exactOptional(list(resource)),
  prefetch: z.exactOptional(list(resource, 0)),
  default: z.exactOptional(z.boolean()),
})

export type IdentityEntry = z.infer<typeof IdentityEntry>

/** The schema of the file. docs/identities.schema.json has the same rules for editors. */
export const IdentitiesSchema = z.strictObject({
  identities: list(IdentityEntry),
})

/** The values of the environment that apply to identities without their own. */
export interface IdentityDefaults {
  readonly tenantId?: string | undefined
  readonly tokenFile?: string | undefined
}

export type ReadText = (path: string) => Promise<string>

/** Reads the text of an identities file, at most one byte more than is allowed. */
export const readIdentitiesText: ReadText = (path) => readRegularFile(path, MAX_FILE_BYTES + 1)

/**
 * Reads and parses the file of WIMDS_CONFIG. Returns undefined if there is none, or if it has problems. Adds the problems in the
 * order of the file, as `PATH:LINE:COLUMN: identities[1].clientId: …`.
 */
export async function readIdentitiesFile(
  settings: ParsedSettings,
  readText: ReadText,
  problems: Problem[],
) {
  const { WIMDS_CONFIG: path, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE } = settings
  if (path === undefined) return undefined
  const setting = 'WIMDS_CONFIG'
  let text: string
  try {
    text = await readText(path)
  } catch (error) {
    const { problem, fix } = describeFileError(path, error)
    const ofKey = 'check the path and, in a pod, the keys of the ConfigMap'
    problems.push({ setting, problem, fix: errorCode(error) === 'ENOENT' ? ofKey : fix })
    return undefined
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    problems.push({ setting, problem: `${path} is larger than 128 KiB` })
    return undefined
  }
  const defaults = { tenantId: AZURE_TENANT_ID, tokenFile: AZURE_FEDERATED_TOKEN_FILE }
  const { entries, problems: found } = await parseIdentities(text, defaults)
  for (const { problem, fix } of found) {
    problems.push({ setting, problem: `${path}:${problem}`, fix })
  }
  return found.length > 0 ? undefined : { path, text, entries }
}

interface EntryProblem {
  readonly path: Path
  readonly text: string
}

/**
 * Parses the text of an identities file. Returns no entries if there are problems. Conflicts between entries are checked once
 * each entry is valid. The time is linear in the length of the text.
 */
export async function parseIdentities(
  text: string,
  defaults: IdentityDefaults,
): Promise<{ entries: readonly IdentityEntry[]; problems: readonly Problem[] }> {
  const yaml = await parseYaml(text)
  if ('problems' in yaml) return { entries: [], problems: truncateProblems(yaml.problems) }
  const { content, findOffset, formatPlace } = yaml
  const parsed = IdentitiesSchema.safeParse(content, { reportInput: true })
  const found = parsed.success
    ? findConflicts(parsed.data.identities, defaults)
    : parsed.error.issues.flatMap(toProblems)
  if (parsed.success && found.length === 0) return { entries: parsed.data.identities, problems: [] }
  const problems = found
    .slice(0, MAX_PROBLEMS + 1)
    .map(({ path, text: reason }) => ({
      offset: findOffset(path),
      problem: `${formatPath(path)}${reason}`,
    }))
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, problem }) => ({ problem: `${formatPlace(offset)}: ${problem}` }))
  return { entries: [], problems: truncateProblems(problems) }
}

/** Returns the first problems, and a last one if there are more. */
function truncateProblems(problems: readonly Problem[]): Problem[] {
  const rest = problems.length > MAX_PROBLEMS ? [{ problem: ' and more' }] : []
  return [...problems.slice(0, MAX_PROBLEMS), ...rest]
}

/** Formats `identities[1].clientId: `; an empty text for the file as a whole. A key may be any text, and even a list. */
function formatPath(path: Path): string {
  const formatted = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${formatName(String(key))}`))
    .join('')
    .replace(/^\./, '')
  return formatted === '' ? '' : `${formatted}: `
}

const formatName = (key: string): string => (/^\w{1,60}$/.test(key) ? key : quote(key))

/** Converts an issue of the schema into problems. */
function toProblems(issue: z.core.$ZodIssue): EntryProblem[] {
  const { path, input } = issue
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys((path.length === 0 ? IdentitiesSchema : IdentityEntry).shape)
    return issue.keys.slice(0, MAX_PROBLEMS + 1).map((key) => ({
      path: [...path, key],
      text: `is not a known setting${suggest(key, known)}`,
    }))
  }
  if (issue.code === 'invalid_type') {
    const text = input === undefined ? 'is missing' : `must be ${formatKind(issue.expected)}`
    return [{ path, text }]
  }
  return [{ path, text: issue.code === 'too_small' ? 'must not be empty' : issue.message }]
}

function findConflicts(
  entries: readonly IdentityEntry[],
  defaults: IdentityDefaults,
): EntryProblem[] {
  const problems: EntryProblem[] = []
  const addProblem = (index: number, key: string, text: string) =>
    problems.push({ path: ['identities', index, key], text })
  // The index of the first entry that has a value, by key and value. A name may not be another identity's client id either.
  const seen = new Map<string, number>()
  const clientIds = new Map(
    entries.map(({ clientId }, index) => [clientId, index] as const).toReversed(),
  )
  const firstDefault = entries.findIndex((entry) => entry.default === true)
  for (const [index, entry] of entries.entries()) {
    for (const key of ['name', 'clientId', 'objectId', 'resourceId'] as const) {
      if (entry[key] === undefined) continue
      const first = seen.get(`${key} ${entry[key]}`)
      if (first === undefined) seen.set(`${key} ${entry[key]}`, index)
      else addProblem(index, key, `has the same value as identities[${first}]`)
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
    if (entry.tokenFile === undefined && defaults.tokenFile === undefined) {
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
