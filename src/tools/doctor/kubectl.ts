/** Runs kubectl with the kubeconfig of the user, for the checks of a cluster from outside. */
import { execFile, type ExecFileException } from 'node:child_process'
import * as z from 'zod/mini'
import { parseJson } from '../../lib/json.ts'
import { scrubAndTruncate } from '../../lib/scrub.ts'
import { CheckEnd, type Fault, notChecked, notNeeded } from './findings.ts'

/** The output of kubectl, and the fault if it is of no use. */
export interface KubectlResult {
  /** The exit code; undefined: it did not run, or not to its end. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** Why it failed, in its own words. */
  readonly reason: string
  /** The fault that a caller reports unless it can explain the failure better. */
  readonly fault: Fault
}

/** Runs kubectl with these arguments, without a shell. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<KubectlResult>

export interface KubectlOptions {
  /** The environment of kubectl, with PATH, HOME and KUBECONFIG. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** The context of the kubeconfig, and the namespace; undefined: the current one. */
  readonly context?: string | undefined
  readonly namespace?: string | undefined
}

/** A doctor inside the pod may wait for Entra ID several times. */
const TIMEOUT_MS = 120_000
/** The pods of a large cluster. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024
/** Pod Security lists all that it refuses of the node agent in 700 characters. */
const MAX_REASON = 1000

/** Creates the function that runs it. Each call ends after two minutes. */
export function createKubectl({ env, signal, context, namespace }: KubectlOptions): Kubectl {
  const flags = formatFlags({ context, namespace })
  return (args, input = '') =>
    new Promise((resolve) => {
      const child = execFile(
        'kubectl',
        [...flags, ...args],
        { env: { ...env }, signal, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined
          const fault = explain(args, error, stderr)
          resolve({ code, stdout, stderr, ...fault })
        },
      )
      // EPIPE if kubectl ended early; its exit code is the failure to report.
      child.stdin?.on('error', () => {})
      child.stdin?.end(input)
    })
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

/**
 * Parses the JSON that kubectl printed; undefined if kubectl failed, or if the JSON does not have the form of the schema.
 * kubectl prints a forbidden list as an empty one.
 */
export function parseOutput<T>(
  schema: z.ZodMiniType<T>,
  { code, stdout }: KubectlResult,
): T | undefined {
  return code === 0 ? schema.safeParse(parseJson(stdout)).data : undefined
}

/**
 * Gets the objects of a kind. If they cannot be read, ends the check as not made, in the words of kubectl; as not needed if
 * the cluster has no such kind.
 */
export async function getItems<T>(
  kubectl: Kubectl,
  schema: z.ZodMiniType<T>,
  kind: string,
  ...args: readonly string[]
): Promise<T[]> {
  const result = await kubectl(['get', kind, ...args, '--output=json'])
  const list = parseOutput(z.object({ items: z.array(schema) }), result)
  if (list !== undefined) return list.items
  const { reason } = result
  const isUnknown = reason.includes("doesn't have a resource type")
  throw new CheckEnd(isUnknown ? notNeeded(`the cluster has no ${kind}`) : notChecked(reason))
}

/** Returns why kubectl failed, and a fault with that reason for callers that have no better one. */
function explain(
  args: readonly string[],
  error: ExecFileException | null,
  stderr: string,
): Pick<KubectlResult, 'reason' | 'fault'> {
  if (error?.code === 'ENOENT') {
    const problem = 'kubectl is not on the PATH'
    const fix =
      'install kubectl (https://kubernetes.io/docs/tasks/tools/) and log in to the cluster, on AKS with az aks get-credentials'
    return { reason: problem, fault: { code: 'kubectl_missing', problem, fix } }
  }
  const reason =
    typeof error?.code === 'string'
      ? `it cannot be run (${error.code})`
      : error?.killed === true
        ? `no answer within ${TIMEOUT_MS / 1000} s`
        : extractReason(stderr)
  const problem = `kubectl ${args.slice(0, 2).join(' ')} failed: ${reason}`
  const fix =
    'check the context (kubectl config current-context), the connection to the cluster (kubectl version), and your permissions (kubectl auth can-i --list)'
  return { reason, fault: { code: 'kubectl_failed', problem, fix } }
}

/** Returns the reason that kubectl gave, without its prefixes. */
export function extractReason(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(?:Warning: |[EWI]\d{4} )/.test(line))
  const line = lines.find((each) => /^error|^Error/.test(each)) ?? lines[0] ?? 'no reason given'
  return scrubAndTruncate(
    line.replace(
      /^(?:error: |Error from server(?: \(\w+\))?: |error when creating "STDIN": )+/i,
      '',
    ),
    MAX_REASON,
  )
}
