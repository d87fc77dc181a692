/** What kubectl answers with the kubeconfig of the user: found, not found, or failed and why. */
import { text } from 'node:stream/consumers'
import * as z from 'zod/mini'
import { parseJson } from '../../lib/json.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { CheckEnd, endAsFailed, type Fault, notChecked, notNeeded } from './findings.ts'
import { type End, type KubectlIo, startKubectl, TIMED_OUT } from './run-kubectl.ts'

/** The output of kubectl, and the fault if it failed. */
export interface KubectlResult extends End {
  readonly stdout: string
  /** Why it failed, in its own words. */
  readonly reason: string
  /** The fault that a caller reports unless it can explain the failure better. */
  readonly fault: Fault
}

/** Runs kubectl with these arguments, without a shell. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<KubectlResult>

/** The objects for which kubectl was asked: one at least if they were asked for by name. */
export type Answer<T> =
  | { readonly kind: 'found'; readonly items: readonly T[] }
  /** The cluster has no object of this name; `reason`: not even the kind. */
  | { readonly kind: 'not_found'; readonly reason?: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly fault: Fault }

export interface KubectlOptions {
  readonly io: KubectlIo
  /** The context of the kubeconfig, and the namespace; undefined: the current one. */
  readonly context?: string | undefined
  readonly namespace?: string | undefined
}

/** The longest reason that is shown. Pod Security needs 700 characters for all that it refuses of the node agent. */
const MAX_REASON = 1000

/** Creates the function that runs kubectl. */
export function createKubectl({ io, context, namespace }: KubectlOptions, runMs?: number): Kubectl {
  const flags = formatFlags({ context, namespace })
  let isLoggedIn = false
  return async (args, input) => {
    const options = { runMs, mayLogIn: !isLoggedIn, input }
    const { stdout, ended } = startKubectl([...flags, ...args], io, options)
    // It is of no use if kubectl was stopped.
    const [output, end] = await Promise.all([text(stdout).catch(() => ''), ended])
    isLoggedIn ||= end.code === 0
    return { stdout: output, ...end, ...explain(args, end) }
  }
}

/** Returns the flags that choose a context and a namespace. */
export function formatFlags({
  context,
  namespace,
}: Pick<KubectlOptions, 'context' | 'namespace'>): string[] {
  return [
    ...(context === undefined ? [] : [`--context=${context}`]),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
  ]
}

/** Parses the JSON that kubectl printed; undefined if kubectl failed, or if the JSON does not have the form of the schema. */
export function parseOutput<T>(
  schema: z.ZodMiniType<T>,
  { code, stdout }: KubectlResult,
): T | undefined {
  return code === 0 ? schema.safeParse(parseJson(stdout)).data : undefined
}

/** Lists the objects of a kind. kubectl prints a forbidden list as an empty one. */
export async function list<T>(
  kubectl: Kubectl,
  schema: z.ZodMiniType<T>,
  kind: string,
  ...args: readonly string[]
): Promise<Answer<T>> {
  const result = await kubectl(['get', kind, ...args, '--output=json'])
  const found = parseOutput(z.object({ items: z.array(schema) }), result)
  return found === undefined ? explainAnswer(result) : { kind: 'found', items: found.items }
}

/**
 * Gets the objects of this name, of one kind or of several (`deployments,jobs`). If one of these kinds may not be read, kubectl
 * fails, and prints what it has found of the others.
 */
export async function getNamed<T>(
  kubectl: Kubectl,
  schema: z.ZodMiniType<T>,
  kinds: string,
  name: string,
): Promise<Answer<T>> {
  const result = await kubectl(['get', kinds, name, '--ignore-not-found', '--output=json'])
  const document = parseJson(result.stdout)
  const one = schema.safeParse(document)
  const several = z.object({ items: z.array(schema) }).safeParse(document).data
  const items = several?.items ?? (one.success ? [one.data] : [])
  if (items.length > 0) return { kind: 'found', items }
  const isNone = several !== undefined || result.stdout.trim() === ''
  return result.code === 0 && isNone ? { kind: 'not_found' } : explainAnswer(result)
}

function explainAnswer({ code, stderr, reason, fault }: KubectlResult): Answer<never> {
  // kubectl says so of every kind, too, if the API server has not told it the kinds.
  const knowsKinds = !stderr.includes("couldn't get current server API group list")
  if (knowsKinds && reason.includes("doesn't have a resource type")) {
    return { kind: 'not_found', reason }
  }
  // A prompt may stand before it.
  if (/^Error from server \(NotFound\)/m.test(stderr)) return { kind: 'not_found' }
  if (code !== 0) return { kind: 'failed', reason, fault }
  const other = 'kubectl printed something else than what was asked for'
  return { kind: 'failed', reason: other, fault: { ...fault, problem: other } }
}

/** Lists objects. Ends the check as not made if kubectl failed; as not needed if the cluster has no such kind. */
export async function getItems<T>(...args: Parameters<typeof list<T>>): Promise<readonly T[]> {
  return requireMade(await list(...args))
}

/** Returns the objects, or ends the check as `getItems` does. */
export function requireMade<T>(answer: Answer<T>): readonly T[] {
  if (answer.kind === 'found') return answer.items
  const { reason = 'there is none' } = answer
  throw new CheckEnd(answer.kind === 'failed' ? notChecked(reason) : notNeeded(reason))
}

/** Returns the objects, none if there are none. Ends the check as failed if kubectl failed. */
export function requireAnswer<T>(answer: Answer<T>): readonly T[] {
  if (answer.kind === 'failed') return endAsFailed(answer.fault)
  return answer.kind === 'found' ? answer.items : []
}

const LOGIN_FAILED = {
  code: 'login_failed',
  pattern:
    /getting credentials: |You must be logged in|\(Unauthorized\)|asked for the client to provide cred/,
  fix: 'log in: run kubectl get pods in a terminal until it works. On AKS: az login and az aks get-credentials; az aks install-cli installs kubelogin, and kubelogin convert-kubeconfig -l azurecli makes it use the login of the Azure CLI, without a prompt',
} as const

/** Why kubectl fails, by what it writes: the first that matches. */
const FAILURES = [
  LOGIN_FAILED,
  {
    code: 'api_server_unreachable',
    // What kubectl tries without a kubeconfig.
    pattern: /^The connection to the server localhost:8080 /m,
    fix: 'kubectl has no context here: set KUBECONFIG, or on AKS run az aks get-credentials --resource-group GROUP --name CLUSTER',
  },
  {
    code: 'api_server_unreachable',
    pattern: /^(?:Unable to connect to the server|The connection to the server )/m,
    fix: 'check the context (kubectl config current-context), that the cluster runs, and the way to it: a VPN, HTTPS_PROXY, the IP ranges that the API server admits',
  },
  {
    code: 'permission_missing',
    pattern: /\(Forbidden\)/,
    fix: 'let an administrator grant what it names (kubectl auth can-i --list shows what you may do), or check the namespace (-n)',
  },
] as const
const OTHER = {
  code: 'kubectl_failed',
  fix: 'check the context (kubectl config current-context), and try kubectl version',
} as const

/** Returns why kubectl failed, and a fault with that reason for callers that have no better one. */
export function explain(
  args: readonly string[],
  { stopped, stderr }: Pick<End, 'stopped' | 'stderr'>,
): Pick<KubectlResult, 'reason' | 'fault'> {
  if (stopped === 'ENOENT') {
    const problem = 'kubectl is not on the PATH'
    const fix =
      'install kubectl (https://kubernetes.io/docs/tasks/tools/) and log in to the cluster, on AKS with az aks get-credentials'
    return { reason: problem, fault: { code: 'kubectl_missing', problem, fix } }
  }
  const { code, fix } =
    stopped === TIMED_OUT
      ? LOGIN_FAILED
      : (FAILURES.find(({ pattern }) => pattern.test(stopped ?? stderr)) ?? OTHER)
  const lines = listLines(stderr)
  const line = lines.find((each) => /^error/i.test(each)) ?? lines[0] ?? 'no reason given'
  // An exec plugin says why before kubectl says that it failed.
  const told = code === 'login_failed' ? lines : [line]
  const reason = stopped ?? scrubAndTruncate(told.map(removePrefixes).join('; '), MAX_REASON)
  const problem = `kubectl ${args.slice(0, 2).join(' ')} failed: ${reason}`
  return { reason, fault: { code, problem, fix } }
}

/** The prefixes of kubectl, which hide what happened. */
const PREFIXES =
  /^(?:error: |Error from server(?: \(\w+\))?: |error when creating "STDIN": |Unable to connect to the server: (?=getting credentials))+/i

const removePrefixes = (line: string) => line.replace(PREFIXES, '')

/** Logs, warnings, a prompt with its code, and what kubectl tells of exec plugins in general. */
const NOISE =
  /https?:\/\/\S*device|\bcode:? (?=[\d-]*[A-Z])[A-Z0-9-]{6,}|^(?:Warning: |[EWI]\d{4} |It looks like you are trying to use a client-go|To learn more about this feature|https:\/\/kubernetes\.io\/docs\/reference\/access-authn)/

/** Returns each line once: of a plugin, of kubectl, and of the hint in the kubeconfig. */
function listLines(stderr: string): string[] {
  const lines = stderr.split('\n').map((line) => line.trim())
  return [...new Set(lines)].filter((line) => line !== '' && !NOISE.test(line))
}
