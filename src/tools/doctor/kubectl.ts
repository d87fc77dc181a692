/** Runs kubectl with the kubeconfig of the user, for the checks of a cluster from outside. */
import { execFile } from 'node:child_process'
import { scrubAndTruncate } from '../../lib/secret.ts'
import type { Fault } from './findings.ts'

/** The output and exit code of kubectl, or why it did not run. */
export type KubectlResult =
  | { readonly ran: true; readonly code: number; readonly stdout: string; readonly stderr: string }
  | { readonly ran: false; readonly fault: Fault }

/** Runs kubectl with these arguments, without a shell. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<KubectlResult>

interface KubectlOptions {
  /** The environment of kubectl, with PATH, HOME and KUBECONFIG. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** The context of the kubeconfig, and the namespace; undefined: the current one. */
  readonly context?: string | undefined
  readonly namespace?: string | undefined
}

/** A doctor inside the pod may wait for Entra ID several times. */
const TIMEOUT_MS = 120_000
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024
const MAX_REASON = 500

/** Creates the function that runs it. Each call ends after two minutes. */
export function createKubectl({ env, signal, context, namespace }: KubectlOptions): Kubectl {
  const flags = [
    ...(context === undefined ? [] : [`--context=${context}`]),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
  ]
  return (args, input = '') =>
    new Promise((resolve) => {
      const child = execFile(
        'kubectl',
        [...flags, ...args],
        { env: { ...env }, signal, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : error.code
          if (typeof code === 'number') resolve({ ran: true, code, stdout, stderr })
          else resolve({ ran: false, fault: explainStart(args, code, error?.killed) })
        },
      )
      // EPIPE if kubectl ended early; its exit code is the failure to report.
      child.stdin?.on('error', () => {})
      child.stdin?.end(input)
    })
}

/** Explains a call that failed for a reason that its caller does not explain better. */
export function explainKubectl(
  args: readonly string[],
  { stderr }: Extract<KubectlResult, { ran: true }>,
): Fault {
  return {
    code: 'kubectl_failed',
    problem: `kubectl ${args.slice(0, 2).join(' ')} failed: ${extractReason(stderr)}`,
    fix: 'check the context (kubectl config current-context), the connection to the cluster (kubectl version), and your permissions (kubectl auth can-i --list)',
  }
}

/** Returns the reason that kubectl gave, without its prefixes. */
export function extractReason(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(?:Warning: |[EWI]\d{4} )/.test(line))
  const line = lines.find((each) => /^error|^Error/.test(each)) ?? lines[0] ?? 'no reason given'
  return scrubAndTruncate(
    line.replace(/^(?:error: |Error from server(?: \(\w+\))?: )+/i, ''),
    MAX_REASON,
  )
}

function explainStart(
  args: readonly string[],
  code: unknown,
  isKilled: boolean | undefined,
): Fault {
  if (code === 'ENOENT') {
    return {
      code: 'kubectl_missing',
      problem: 'kubectl is not on the PATH',
      fix: 'install kubectl (https://kubernetes.io/docs/tasks/tools/) and log in to the cluster, on AKS with az aks get-credentials',
    }
  }
  const reason =
    isKilled === true
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : `cannot be run (${String(code)})`
  return {
    code: 'kubectl_failed',
    problem: `kubectl ${args.slice(0, 2).join(' ')}: ${reason}`,
    fix: 'check that kubectl works (kubectl version), and the connection to the cluster',
  }
}
