/** Declares `wimds uninject`. */
import type { CommandDeclaration } from './declaration.ts'
import { INJECT } from './inject.ts'

const { path, output, quiet } = INJECT.flags

export const UNINJECT = {
  name: 'uninject',
  group: 'Prepare manifests',
  summary: 'remove the sidecar from Kubernetes manifests',
  arguments: INJECT.arguments,
  description: `Removes what wimds inject or the webhook added to the workloads in the manifests: containers, init containers, volumes, variables and the annotation wimds.io/injected. Every other line stays as it is, comments included. It prints the result, and on standard error what was done to each object.

Your own annotations stay; if the cluster has the webhook, delete wimds.io/inject. The hosts that injection added to your NO_PROXY stay too: they are harmless. An empty list or map that injection filled, such as volumes: [], is removed.

FILE is a file, a directory, a pattern such as 'apps/**/*.yaml', or - for standard input.`,
  flags: { path, output, quiet },
  examples: [
    'wimds uninject deployment.yaml | kubectl apply -f -',
    'kubectl get deployment orders -o yaml | wimds uninject -o diff -',
  ],
  exitCodes: { 1: 'a manifest cannot be read, or a workload cannot be edited' },
} as const satisfies CommandDeclaration
