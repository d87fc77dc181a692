/** The commands that find or fix the cause of a problem, with the values of this sidecar filled in. */
import {
  canCreateCredential,
  createApplicationCommand,
  createBindingRoles,
  createIdentityFlags,
  createManagedIdentityCommand,
} from '../exchange/credential-commands.ts'
import { hasUnexpectedAudience } from '../exchange/assertion.ts'
import {
  ENABLE_OIDC_ISSUER,
  formatCommandLines,
  isPlainWord,
  quoteForShell,
} from '../../lib/shell.ts'
import { isInternalIssuer } from '../../lib/internal-issuer.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'

type Problem = StatusDocument['problems'][number]

/** The purpose of a command, without a full stop, and the command. */
export type Remedy = readonly [purpose: string, command: string]

/** What the commands are made of. */
interface Facts {
  readonly clientId: string
  readonly resourceId: string | undefined
  /** The claims of the projected token that the identity exchanges; undefined: not known. */
  readonly claims: StatusDocument['assertions'][number]['claims']
  readonly status: StatusDocument
}

/** By error code; `wimds doctor` finds the rest. Capital letters stand for what the sidecar does not know. */
const REMEDIES: Readonly<Record<string, (facts: Facts) => readonly Remedy[]>> = {
  federated_credential_not_found: createCredential,
  federated_credential_mismatch: listCredentials,
  issuer_unreachable: checkIssuer,
  token_proxy_forbidden: allowIdentity,
  identity_not_found: setClientId,
  application_refused: ({ clientId }) => [
    [
      'Check that the application exists in the tenant to which az is signed in',
      `az ad sp show --id ${quoteForShell(clientId)}`,
    ],
  ],
  assertion_missing: describePod,
  assertion_unreadable: describePod,
  assertion_empty: describePod,
}

/**
 * Returns the commands for a problem; empty if only `wimds doctor` knows more. A chained identity has no claims, as has
 * an unlisted client id where there are several projected tokens.
 */
export function findRemedies(
  { clientId = 'CLIENT_ID', failure }: Problem,
  status: StatusDocument,
): readonly Remedy[] {
  const { identities, assertions } = status
  const identity = identities.find((each) => each.clientId === clientId)
  const only = assertions.length === 1 ? assertions[0]?.file : undefined
  const file = identity === undefined ? only : identity.tokenFile
  const claims = assertions.find((assertion) => assertion.file === file)?.claims
  const facts = { clientId, resourceId: identity?.resourceId, claims, status }
  return REMEDIES[failure?.code ?? '']?.(facts) ?? []
}

/** Returns the command for a full diagnosis in the pod; undefined outside Kubernetes. */
export function createDoctorCommand({ workload }: StatusDocument): string | undefined {
  return workload.inPod
    ? `kubectl exec${namespaceFlag(workload)} ${quoteForShell(workload.host)} -c wimds -- wimds doctor`
    : undefined
}

function createCredential(facts: Facts): readonly Remedy[] {
  const { claims, status } = facts
  // Never with placeholders: the name of the credential, made of them, would be the same in every cluster.
  if (claims === undefined || !canCreateCredential(claims)) return []
  const isIntended = status.settings.some(
    ({ name, source }) => name === 'WIMDS_AUDIENCE' && source === 'environment',
  )
  if (hasUnexpectedAudience(claims) && !isIntended) return []
  const managedIdentity = createManagedIdentityCommand(facts, claims)
  const application = createApplicationCommand(facts, claims)
  return [
    ...findIdentityName(facts),
    ['Create the federated credential of a managed identity', formatCommandLines(managedIdentity)],
    ['Or that of an application registration', formatCommandLines(application)],
  ]
}

function listCredentials(facts: Facts): readonly Remedy[] {
  const command = formatCommandLines({
    words: 'az identity federated-credential list',
    flags: [...createIdentityFlags(facts.resourceId), ['output', 'table']],
  })
  return [
    ...findIdentityName(facts),
    ['Compare subject and audience with the claims of the projected token below', command],
  ]
}

/** Returns the command that finds a managed identity by its client id; none if its resource id is configured. */
function findIdentityName({ clientId, resourceId }: Facts): readonly Remedy[] {
  if (resourceId !== undefined || !isPlainWord(clientId)) return []
  const query = `[?clientId=='${clientId}'].{name:name, resourceGroup:resourceGroup}`
  const command = `az identity list --output table \\\n  --query "${query}"`
  return [['Find the name and the resource group of the managed identity', command]]
}

function checkIssuer({ claims }: Facts): readonly Remedy[] {
  const enable = [
    'On AKS, enable the public issuer',
    formatCommandLines(ENABLE_OIDC_ISSUER),
  ] as const
  if (claims === undefined || isInternalIssuer(claims.issuer)) return [enable]
  const discovery = `${claims.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const command = `curl -fsS --url ${quoteForShell(discovery)}`
  return [['Check from outside the cluster that Entra ID can read the issuer', command], enable]
}

function allowIdentity(facts: Facts): readonly Remedy[] {
  if (facts.claims === undefined) return []
  const command = createBindingRoles(facts.clientId, facts.claims)
  return [['Allow the service account to use the managed identity', command]]
}

function setClientId({ status: { workload } }: Facts): readonly Remedy[] {
  if (!workload.inPod) return []
  const account = quoteForShell(workload.serviceAccount ?? 'SERVICEACCOUNT')
  const command = `kubectl annotate serviceaccount${namespaceFlag(workload)} ${account} \\
  azure.workload.identity/client-id=CLIENT_ID
kubectl rollout restart${namespaceFlag(workload)} deployment/DEPLOYMENT`
  return [['Name the identity on the service account, and restart the workload', command]]
}

function describePod({ status: { workload } }: Facts): readonly Remedy[] {
  if (!workload.inPod) return []
  const command = `kubectl describe pod${namespaceFlag(workload)} ${quoteForShell(workload.host)}`
  return [['See the volumes and the events of the pod', command]]
}

function namespaceFlag({ namespace }: StatusDocument['workload']): string {
  return ` -n ${namespace === undefined ? 'NAMESPACE' : quoteForShell(namespace)}`
}
