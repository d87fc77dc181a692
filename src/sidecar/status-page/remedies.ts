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

/** The purpose of a command, without a full stop, and the command. */
export type Remedy = readonly [purpose: string, command: string]

type Claims = NonNullable<StatusDocument['assertions'][number]['claims']>

/** What the commands are made of. */
interface Facts {
  readonly identity: { readonly clientId: string; readonly resourceId?: string }
  /** The claims of the projected token that the identity exchanges; undefined: not known. */
  readonly claims: Claims | undefined
  readonly status: StatusDocument
}

/** By error code; `wimds doctor` finds the rest. Capital letters stand for what the sidecar does not know. */
const REMEDIES: Readonly<Record<string, (facts: Facts) => readonly Remedy[]>> = {
  federated_credential_not_found: createCredential,
  federated_credential_mismatch: listCredentials,
  issuer_unreachable: checkIssuer,
  token_proxy_forbidden: allowIdentity,
  identity_not_found: setClientId,
  application_refused: ({ identity }) => [
    [
      'Check that the application exists in the tenant to which az is signed in',
      `az ad sp show --id ${quoteForShell(identity.clientId)}`,
    ],
  ],
  assertion_missing: describePod,
  assertion_unreadable: describePod,
  assertion_empty: describePod,
}

/** Returns the commands for a problem; empty if only `wimds doctor` knows more. */
export function findRemedies(problem: Problem, status: StatusDocument): readonly Remedy[] {
  const { clientId = 'CLIENT_ID', failure } = problem
  const resourceId = status.identities.find((each) => each.clientId === clientId)?.resourceId
  const identity = { clientId, ...(resourceId !== undefined && { resourceId }) }
  const claims = findClaims(problem, status)
  return REMEDIES[failure?.code ?? '']?.({ identity, claims, status }) ?? []
}

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

/** Returns the command for a full diagnosis in the pod; undefined outside Kubernetes. */
export function createDoctorCommand({ workload }: StatusDocument): string | undefined {
  return workload.inPod
    ? `kubectl exec${namespaceFlag(workload)} ${quoteForShell(workload.host)} -c wimds -- wimds doctor`
    : undefined
}

function createCredential({ identity, claims, status }: Facts): readonly Remedy[] {
  // Never with placeholders: the name of the credential, made of them, would be the same in every cluster.
  if (claims === undefined || !canCreateCredential(claims)) return []
  const isIntended = status.settings.some(
    ({ name, source }) => name === 'WIMDS_AUDIENCE' && source === 'environment',
  )
  if (hasUnexpectedAudience(claims) && !isIntended) return []
  return [
    ...findIdentityName(identity),
    [
      'Create the federated credential of a managed identity',
      formatCommandLines(createManagedIdentityCommand(identity, claims)),
    ],
    [
      'Or that of an application registration',
      formatCommandLines(createApplicationCommand(identity, claims)),
    ],
  ]
}

function listCredentials({ identity }: Facts): readonly Remedy[] {
  return [
    ...findIdentityName(identity),
    [
      'Compare subject and audience with the claims of the projected token below',
      formatCommandLines({
        words: 'az identity federated-credential list',
        flags: [...createIdentityFlags(identity.resourceId), ['output', 'table']],
      }),
    ],
  ]
}

/** Returns the command that finds a managed identity by its client id; none if its resource id is configured. */
function findIdentityName({ clientId, resourceId }: Facts['identity']): readonly Remedy[] {
  if (resourceId !== undefined || !isPlainWord(clientId)) return []
  const query = `[?clientId=='${clientId}'].{name:name, resourceGroup:resourceGroup}`
  return [
    [
      'Find the name and the resource group of the managed identity',
      `az identity list --output table \\\n  --query "${query}"`,
    ],
  ]
}

function checkIssuer({ claims }: Facts): readonly Remedy[] {
  const enable: Remedy = [
    'On AKS, enable the public issuer',
    formatCommandLines(ENABLE_OIDC_ISSUER),
  ]
  if (claims === undefined || isInternalIssuer(claims.issuer)) return [enable]
  const discovery = `${claims.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  return [
    [
      'Check from outside the cluster that Entra ID can read the issuer',
      `curl -fsS --url ${quoteForShell(discovery)}`,
    ],
    enable,
  ]
}

function allowIdentity({ identity, claims }: Facts): readonly Remedy[] {
  if (claims === undefined) return []
  const { kubectlApply } = createBindingCommands(identity, claims)
  return [['Allow the service account to use the managed identity', kubectlApply]]
}

function setClientId({ status: { workload } }: Facts): readonly Remedy[] {
  if (!workload.inPod) return []
  const account = quoteForShell(workload.serviceAccount ?? 'SERVICEACCOUNT')
  return [
    [
      'Name the identity on the service account, and restart the workload',
      `kubectl annotate serviceaccount${namespaceFlag(workload)} ${account} \\
  azure.workload.identity/client-id=CLIENT_ID
kubectl rollout restart${namespaceFlag(workload)} deployment/DEPLOYMENT`,
    ],
  ]
}

function describePod({ status: { workload } }: Facts): readonly Remedy[] {
  if (!workload.inPod) return []
  return [
    [
      'See the volumes and the events of the pod',
      `kubectl describe pod${namespaceFlag(workload)} ${quoteForShell(workload.host)}`,
    ],
  ]
}

function namespaceFlag({ namespace }: StatusDocument['workload']): string {
  return ` -n ${namespace === undefined ? 'NAMESPACE' : quoteForShell(namespace)}`
}
