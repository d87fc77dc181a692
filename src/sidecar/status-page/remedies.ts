/** The commands that find or fix the cause of a problem, with the values of this sidecar filled in. */
import {
  canCreateCredential,
  createApplicationCommand,
  createBindingCommands,
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

export interface Remedy {
  /** The purpose of the command, without a full stop. */
  readonly label: string
  readonly command: string
}

type FindRemedies = (problem: Problem, status: StatusDocument) => readonly Remedy[]

/** By error code; `wimds doctor` finds the rest. Capital letters stand for what the sidecar does not know. */
const REMEDIES: Readonly<Record<string, FindRemedies>> = {
  federated_credential_not_found: createCredential,
  federated_credential_mismatch: listCredentials,
  issuer_unreachable: checkIssuer,
  token_proxy_forbidden: allowIdentity,
  identity_not_found: setClientId,
  application_refused: ({ clientId = 'CLIENT_ID' }) => [
    {
      label: 'Check that the application exists in the tenant to which az is signed in',
      command: `az ad sp show --id ${quoteForShell(clientId)}`,
    },
  ],
  assertion_missing: describePod,
  assertion_unreadable: describePod,
  assertion_empty: describePod,
}

/** Returns the commands for a problem; empty if only `wimds doctor` knows more. */
export function findRemedies(problem: Problem, status: StatusDocument): readonly Remedy[] {
  const find = problem.failure === undefined ? undefined : REMEDIES[problem.failure.code]
  return find?.(problem, status) ?? []
}

/** Returns the command for a full diagnosis in the pod; undefined outside Kubernetes. */
export function createDoctorCommand({ workload }: StatusDocument): string | undefined {
  return workload.inPod
    ? `kubectl exec${namespaceFlag(workload)} ${quoteForShell(workload.host)} -c wimds -- wimds doctor`
    : undefined
}

function createCredential(problem: Problem, status: StatusDocument): readonly Remedy[] {
  const claims = findClaims(problem, status)
  // Never with placeholders: the name of the credential, made of them, would be the same in every cluster.
  if (claims === undefined || !canCreateCredential(claims)) return []
  const isIntended = status.settings.some(
    ({ name, source }) => name === 'WIMDS_AUDIENCE' && source === 'environment',
  )
  if (hasUnexpectedAudience(claims) && !isIntended) return []
  const identity = findIdentity(problem, status)
  return [
    ...findIdentityName(identity),
    {
      label: 'Create the federated credential of a managed identity',
      command: formatCommandLines(createManagedIdentityCommand(identity, claims)),
    },
    {
      label: 'Or that of an application registration',
      command: formatCommandLines(createApplicationCommand(identity, claims)),
    },
  ]
}

function listCredentials(problem: Problem, status: StatusDocument): readonly Remedy[] {
  const identity = findIdentity(problem, status)
  return [
    ...findIdentityName(identity),
    {
      label: 'Compare subject and audience with the claims of the projected token below',
      command: formatCommandLines({
        words: 'az identity federated-credential list',
        flags: [...createIdentityFlags(identity.resourceId), ['output', 'table']],
      }),
    },
  ]
}

/** Returns the command that finds a managed identity by its client id; none if its resource id is configured. */
function findIdentityName({ clientId, resourceId }: ReturnType<typeof findIdentity>): Remedy[] {
  if (resourceId !== undefined || !isPlainWord(clientId)) return []
  const query = `[?clientId=='${clientId}'].{name:name, resourceGroup:resourceGroup}`
  return [
    {
      label: 'Find the name and the resource group of the managed identity',
      command: `az identity list --output table \\\n  --query "${query}"`,
    },
  ]
}

function checkIssuer(problem: Problem, status: StatusDocument): readonly Remedy[] {
  return [
    ...fetchDiscovery(findClaims(problem, status)),
    {
      label: 'On AKS, enable the public issuer',
      command: formatCommandLines(ENABLE_OIDC_ISSUER),
    },
  ]
}

function fetchDiscovery(claims: Claims | undefined): readonly Remedy[] {
  if (claims === undefined || isInternalIssuer(claims.issuer)) return []
  const discovery = `${claims.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  return [
    {
      label: 'Check from outside the cluster that Entra ID can read the issuer',
      command: `curl -fsS --url ${quoteForShell(discovery)}`,
    },
  ]
}

function allowIdentity(problem: Problem, status: StatusDocument): readonly Remedy[] {
  const claims = findClaims(problem, status)
  if (claims === undefined) return []
  const { kubectlApply } = createBindingCommands(findIdentity(problem, status), claims)
  return [{ label: 'Allow the service account to use the managed identity', command: kubectlApply }]
}

function setClientId(_problem: Problem, { workload }: StatusDocument): readonly Remedy[] {
  if (!workload.inPod) return []
  const account = quoteForShell(workload.serviceAccount ?? 'SERVICEACCOUNT')
  return [
    {
      label: 'Name the identity on the service account, and restart the workload',
      command: `kubectl annotate serviceaccount${namespaceFlag(workload)} ${account} \\
  azure.workload.identity/client-id=CLIENT_ID
kubectl rollout restart${namespaceFlag(workload)} deployment/DEPLOYMENT`,
    },
  ]
}

function describePod(_problem: Problem, { workload }: StatusDocument): readonly Remedy[] {
  if (!workload.inPod) return []
  return [
    {
      label: 'See the volumes and the events of the pod',
      command: `kubectl describe pod${namespaceFlag(workload)} ${quoteForShell(workload.host)}`,
    },
  ]
}

function namespaceFlag({ namespace }: StatusDocument['workload']): string {
  return ` -n ${namespace === undefined ? 'NAMESPACE' : quoteForShell(namespace)}`
}

function findIdentity({ clientId = 'CLIENT_ID' }: Problem, { identities }: StatusDocument) {
  const resourceId = identities.find((identity) => identity.clientId === clientId)?.resourceId
  return { clientId, ...(resourceId !== undefined && { resourceId }) }
}

type Claims = NonNullable<StatusDocument['assertions'][number]['claims']>

/**
 * Returns the claims of the projected token that a problem's identity exchanges; undefined if it cannot be read,
 * for a chained identity, and for an unlisted client id where there are several projected tokens.
 */
function findClaims(
  { clientId }: Problem,
  { identities, assertions }: StatusDocument,
): Claims | undefined {
  const identity = identities.find((each) => each.clientId === clientId)
  const only = assertions.length === 1 ? assertions[0] : undefined
  const file = identity === undefined ? only?.file : identity.tokenFile
  return assertions.find((assertion) => assertion.file === file)?.claims
}
