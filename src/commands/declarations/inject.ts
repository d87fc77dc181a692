/** Declares `wimds inject`. */
import { ROUTING_MODES } from '../../lib/routing-modes.ts'
import type { CommandDeclaration } from './declaration.ts'

export const INJECT = {
  name: 'inject',
  group: 'Prepare manifests',
  summary: 'add the sidecar to Kubernetes manifests',
  arguments: { usage: 'PATH...', completion: 'file' },
  description:
    'Adds the sidecar to every workload in the manifests (files, directories; - is standard input) that does not opt out with the annotation wimds.io/inject: "false", and prints the result.',
  flags: {
    mode: {
      value: 'MODE',
      choices: ROUTING_MODES,
      help: 'env, loopback (the default) or nft',
    },
    image: { value: 'IMAGE', help: "the sidecar's image" },
    'redirect-image': { value: 'IMAGE', help: "the init container's image" },
    env: { value: 'NAME=VALUE', isRepeatable: true, help: 'a variable for the sidecar' },
    'ca-config-map': {
      value: 'NAME[/KEY]',
      help: "a ConfigMap in the pod's namespace with CA certificates that the sidecar trusts (key ca.crt)",
    },
    'ca-secret': { value: 'NAME[/KEY]', help: 'the same from a Secret' },
    'client-id': { value: 'ID', help: 'else from the ServiceAccount in the same input' },
    'tenant-id': { value: 'ID', help: 'else from the ServiceAccount in the same input' },
    namespace: { value: 'NAME', help: 'of objects that name none' },
    uid: {
      value: 'UID|none',
      help: "the sidecar's uid (default 1501); none leaves it to the cluster",
    },
    'kubernetes-version': {
      value: 'VERSION',
      help: 'of the cluster (default: 1.29 or newer)',
    },
    diff: { help: 'print what would change, as a unified diff' },
  },
  exitCodes: { 1: 'a manifest cannot be read, or a workload cannot be injected' },
} as const satisfies CommandDeclaration
