/** The commands that find or fix the cause of a problem, with the values of this sidecar filled in. */
import {
  canCreateCredential,
  createApplicationCommand,
  createIdentityFlags,
  createManagedIdentityCommand,
} from '../exchange/credential-commands.ts'
import { hasUnexpectedAudience } from '../exchange/assertion.ts'
import { formatCommandLines, isPlainWord, quoteForShell } from '../../lib/shell.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'

type Problem = Pick<StatusDocument['problems'][number], 'clientId' | 'failure'>
/** The parts of the document that are read. */
type Status = Pick<StatusDocument, 'identities' | 'assertions' | 'settings'>
type Claims = StatusDocument['assertions'][number]['claims']

/** The purpose of a command, without a full stop, and the command. */
export type Remedy = readonly [purpose: string, command: string]

/**
 * Returns the commands for the credential that Entra ID misses; empty for other problems, whose fix is a sentence.
 * Capital letters stand for what the sidecar does not know.
 */
export function findRemedies(
  { clientId = 'CLIENT_ID', failure }: Problem,
  status: Status,
): readonly Remedy[] {
  const identity = status.identities.find((each) => each.clientId === clientId)
  const ids = { clientId, resourceId: identity?.resourceId }
  const commands = createCommands(failure?.code, ids, findClaims(identity, status), status)
  return commands.length === 0 ? [] : [...findIdentityName(ids), ...commands]
}

interface IdentityIds {
  readonly clientId: string
  readonly resourceId: string | undefined
}

function createCommands(
  code: string | undefined,
  ids: IdentityIds,
  claims: Claims,
  status: Status,
): readonly Remedy[] {
  if (code === 'federated_credential_not_found') return createCredential(ids, claims, status)
  if (code !== 'federated_credential_mismatch') return []
  const flags = [...createIdentityFlags(ids.resourceId), ['output', 'table'] as const]
  const list = { words: 'az identity federated-credential list', flags }
  const purpose = 'Compare subject and audience with the claims of the projected token below'
  return [[purpose, formatCommandLines(list)]]
}

/**
 * Returns the claims of the projected token that the identity exchanges; undefined if they are not known, as those of a
 * chained identity, or of an unlisted client id where there are several projected tokens.
 */
function findClaims(
  identity: StatusDocument['identities'][number] | undefined,
  { assertions }: Status,
): Claims {
  const only = assertions.length === 1 ? assertions[0]?.file : undefined
  const file = identity === undefined ? only : identity.tokenFile
  return assertions.find((assertion) => assertion.file === file)?.claims
}

/** Returns the command for a full diagnosis in the pod; undefined outside Kubernetes. */
export function createDoctorCommand({ workload }: StatusDocument): string | undefined {
  const { inPod, namespace, host } = workload
  const flag = namespace === undefined ? 'NAMESPACE' : quoteForShell(namespace)
  return inPod
    ? `kubectl exec -n ${flag} ${quoteForShell(host)} -c wimds -- wimds doctor`
    : undefined
}

/** Never with placeholders: the name of the credential, made of them, would be the same in every cluster. */
function createCredential(
  ids: IdentityIds,
  claims: Claims,
  { settings }: Status,
): readonly Remedy[] {
  if (claims === undefined || !canCreateCredential(claims)) return []
  const isIntended = settings.some(
    ({ name, source }) => name === 'WIMDS_AUDIENCE' && source === 'environment',
  )
  if (hasUnexpectedAudience(claims) && !isIntended) return []
  const managedIdentity = createManagedIdentityCommand(ids, claims)
  const application = createApplicationCommand(ids, claims)
  return [
    ['Create the federated credential of a managed identity', formatCommandLines(managedIdentity)],
    ['Or that of an application registration', formatCommandLines(application)],
  ]
}

/** Returns the command that finds a managed identity by its client id; none if its resource id is configured. */
function findIdentityName({ clientId, resourceId }: IdentityIds): readonly Remedy[] {
  if (resourceId !== undefined || !isPlainWord(clientId)) return []
  const query = `[?clientId=='${clientId}'].{name:name, resourceGroup:resourceGroup}`
  const command = `az identity list --output table \\\n  --query "${query}"`
  return [['Find the name and the resource group of the managed identity', command]]
}
