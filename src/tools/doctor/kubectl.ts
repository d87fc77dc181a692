/** Runs kubectl with the kubeconfig of the user. Returns what it prints, or explains why it failed. */
import { text } from 'node:stream/consumers'
import * as z from 'zod/mini'
import { parseJson } from '../../lib/json.ts'
import { scrubAndTruncate } from '../../lib/secret.ts'
import { CheckEnd, failed, type Fault, notChecked, type Outcome } from './findings.ts'
import { type End, type KubectlIo, startKubectl, TIMED_OUT } from './run-kubectl.ts'

/** Ends a check as not made, unless the caller explains the failure better. */
export class KubectlFailure extends CheckEnd {
  /** The output of kubectl before it failed. */
  readonly stdout: string
  readonly stderr: string
  /** Why kubectl failed, in its own words. */
  readonly reason: string
  readonly fault: Fault

  constructor(args: readonly string[], end: Pick<End, 'stderr' | 'stopped'>, stdout = '') {
    const { reason, fault } = explain(args, end)
    super(notChecked(fault.problem))
    this.stdout = stdout
    this.stderr = end.stderr
    this.reason = reason
    this.fault = fault
  }
}

/** Returns the outcome of the first check of a report, which fails if kubectl does: no other check would say why. */
export function requireKubectl(end: CheckEnd): Outcome {
  return end instanceof KubectlFailure ? failed(end.fault) : end.outcome
}

/** Runs kubectl with these arguments, without a shell. Returns what it prints, or how it failed. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string | KubectlFailure>

export interface KubectlOptions {
  readonly io: KubectlIo
  /** The context of the kubeconfig, and the namespace; undefined: the current one. */
  readonly context?: string | undefined
  readonly namespace?: string | undefined
}

/** The most characters of a reason. Pod Security needs 700 to list what it rejects in a pod of the node agent. */
const MAX_REASON = 1000

/** Creates the function that runs kubectl. */
export function createKubectl({ io, context, namespace }: KubectlOptions, runMs?: number): Kubectl {
  const flags = formatFlags({ context, namespace })
  let isLoggedIn = false
  return async (args, input) => {
    const options = { runMs, mayLogIn: !isLoggedIn, input }
    const { stdout, ended } = startKubectl([...flags, ...args], io, options)
    // If kubectl was stopped, its output is of no use.
    const [output, end] = await Promise.all([text(stdout).catch(() => ''), ended])
    if (end.code !== 0) return new KubectlFailure(args, end, output)
    isLoggedIn = true
    return output
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

/** Reads the JSON that kubectl prints. Throws a `KubectlFailure`, also for another document. */
export async function readJson<T>(
  kubectl: Kubectl,
  schema: z.ZodMiniType<T>,
  args: readonly string[],
): Promise<T> {
  const output = await kubectl(args)
  if (typeof output !== 'string') throw output
  const { data } = schema.safeParse(parseJson(output))
  if (data === undefined) throw new KubectlFailure(args, OTHER_FORM)
  return data
}

const OTHER_FORM = { stopped: 'it printed something else than what was asked for', stderr: '' }

/** Lists the objects of a kind. Throws a `KubectlFailure`: kubectl prints a forbidden list as an empty one. */
export async function list<T>(
  kubectl: Kubectl,
  schema: z.ZodMiniType<T>,
  kind: string,
  ...args: readonly string[]
): Promise<readonly T[]> {
  const List = z.object({ items: z.array(schema) })
  return (await readJson(kubectl, List, ['get', kind, ...args, '--output=json'])).items
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
): Promise<readonly T[]> {
  const args = ['get', kinds, name, '--ignore-not-found', '--output=json']
  const result = await kubectl(args)
  const output = typeof result === 'string' ? result : result.stdout
  const document = parseJson(output)
  const { data: one } = schema.safeParse(document)
  const { data: several } = z.object({ items: z.array(schema) }).safeParse(document)
  const items = several?.items ?? (one === undefined ? [] : [one])
  if (items.length === 0 && typeof result !== 'string') throw result
  const isOther = items.length === 0 && several === undefined && output.trim() !== ''
  if (isOther) throw new KubectlFailure(args, OTHER_FORM)
  return items
}

/** The error of kubectl for a kind that the cluster does not have, unless kubectl could not read the list of all kinds. */
export const UNKNOWN_KIND =
  /^(?![^]*couldn't get current server API group list)[^]*doesn't have a resource type/

const LOGIN_FAILED = {
  code: 'login_failed',
  pattern:
    /getting credentials: |You must be logged in|\(Unauthorized\)|asked for the client to provide cred/,
  fix: 'log in: run kubectl get pods in a terminal until it works. On AKS: az login and az aks get-credentials; az aks install-cli installs kubelogin, and kubelogin convert-kubeconfig -l azurecli makes it use the login of the Azure CLI, without a prompt',
} as const

/** Why kubectl fails: the first cause whose pattern matches what kubectl writes. */
const FAILURES = [
  LOGIN_FAILED,
  {
    code: 'api_server_unreachable',
    // The address that kubectl tries without a kubeconfig.
    pattern: /^The connection to the server localhost:8080 /m,
    fix: 'kubectl has no context here: set KUBECONFIG to a file that exists, or on AKS run az aks get-credentials --resource-group GROUP --name CLUSTER',
  },
  {
    code: 'api_server_unreachable',
    pattern: /^(?:Unable to connect to the server|The connection to the server )/m,
    fix: 'check the context (kubectl config current-context), that the cluster runs, and the way to it: a VPN, HTTPS_PROXY, the IP ranges that the API server admits',
  },
  {
    code: 'permission_missing',
    pattern: /\(Forbidden\)/,
    fix: 'let an administrator grant the right that it names (kubectl auth can-i --list shows what you may do), or check the namespace (-n)',
  },
  {
    code: 'pod_not_found',
    pattern: UNKNOWN_KIND,
    fix: 'check the kind (kubectl api-resources has all), and the context (kubectl config current-context)',
  },
] as const
const OTHER = {
  code: 'kubectl_failed',
  fix: 'check the context (kubectl config current-context), and try kubectl version',
} as const

/** Returns why kubectl failed, and a fault with that reason. */
function explain(
  args: readonly string[],
  { stopped, stderr }: Pick<End, 'stopped' | 'stderr'>,
): Pick<KubectlFailure, 'reason' | 'fault'> {
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
  // An exec plugin says why before kubectl says that it failed.
  const told = scrubAndTruncate(listLines(stderr).join('; '), MAX_REASON)
  const reason = stopped ?? (told || 'no reason given')
  const problem = `kubectl ${args.slice(0, 2).join(' ')} failed: ${reason}`
  return { reason, fault: { code, problem, fix } }
}

/** The prefixes of kubectl's errors, which say nothing about the cause. */
const PREFIXES =
  /^(?:error: |Error from server(?: \(\w+\))?: |error when creating "STDIN": |Unable to connect to the server: (?=getting credentials))+/i

/** Logs, warnings, a prompt with its code, and what kubectl tells of exec plugins in general. */
const NOISE =
  /https?:\/\/\S*device|\bcode:? (?=[\d-]*[A-Z])[A-Z0-9-]{6,}|^(?:Warning: |[EWI]\d{4} |It looks like you are trying to use a client-go|To learn more about this feature|https:\/\/kubernetes\.io\/docs\/reference\/access-authn)/

/** Returns each line once. A line comes from a plugin, from kubectl, or from the hint in the kubeconfig. */
function listLines(stderr: string): string[] {
  const lines = stderr.split('\n').map((line) => line.trim())
  const told = lines.filter((line) => line !== '' && !NOISE.test(line))
  return [...new Set(told.map((line) => line.replace(PREFIXES, '')))]
}
