/** Which paths may go on to the machine's real metadata service, and which never do: pure. */

/** What the machine gives its own identity away at, in Azure and elsewhere: never passed on. */
const NEVER = [
  '/metadata/identity',
  '/metadata/attested',
  '/latest/api/token',
  '/latest/meta-data/iam',
  '/latest/meta-data/identity-credentials',
  '/computemetadata/v1/instance/service-accounts',
  '/computemetadata/v1beta1/instance/service-accounts',
  '/opc/v1/identity',
  '/opc/v2/identity',
]

/** A path without dot segments, which the guard lets no request have. */
const PREFIX = /^(?!.*\/\.{1,2}(?:\/|$))\/[\w/.-]+$/

/** Why a prefix cannot be in the list, or undefined. */
export function passThroughMistake(prefix: string): string | undefined {
  if (!PREFIX.test(prefix)) return 'must be paths such as /metadata/instance'
  return isAmong(NEVER, normalized(prefix))
    ? "cannot hold a path that gives away the machine's own identity"
    : undefined
}

/** Tells which paths are in a list of prefixes, each with all below it, and may be passed on at all. */
export function allowList(prefixes: readonly string[]): (path: string) => boolean {
  const allowed = prefixes.map(normalized)
  return (path) => isAmong(allowed, normalized(path)) && !isAmong(NEVER, normalized(path))
}

/** Lower case, since servers differ in whether case counts; single slashes, none at the end. */
function normalized(path: string): string {
  return path
    .toLowerCase()
    .replaceAll(/\/{2,}/g, '/')
    .replace(/\/\*?$/, '')
}

function isAmong(prefixes: readonly string[], path: string): boolean {
  return prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
}
