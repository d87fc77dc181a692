/** Declares `wimds inject`. */
import { PULL_POLICIES } from '../../kubernetes/injector/settings.ts'
import { ROUTING_MODES } from '../../lib/routing-modes.ts'
import { DEFAULT_UID } from '../../lib/sidecar-defaults.ts'
import type { CommandDeclaration } from './declaration.ts'

export const INJECT = {
  name: 'inject',
  group: 'Prepare manifests',
  summary: 'add the sidecar to Kubernetes manifests',
  arguments: { usage: 'FILE...', completion: 'file' },
  description: `Adds the sidecar to every workload in the manifests that does not opt out with the annotation wimds.io/inject: "false", and prints the result; on standard error it says what was done to each object.

FILE is a file, a directory, a pattern such as 'apps/**/*.yaml', or - for standard input. It can be the post-renderer of Helm and an exec function of kustomize: a ResourceList stays one.`,
  flags: {
    mode: {
      value: 'MODE',
      choices: ROUTING_MODES,
      help: 'env, loopback (the default), nft or node; docs/kubernetes.md compares them',
    },
    image: {
      value: 'IMAGE',
      help: "the sidecar's image (default ghcr.io/wimds/wimds of this version; none is published yet)",
    },
    'redirect-image': {
      value: 'IMAGE',
      help: "the init container's image (default ghcr.io/wimds/wimds-redirect of this version)",
    },
    'image-pull-policy': {
      value: 'POLICY',
      choices: PULL_POLICIES,
      help: 'pull policy of both images (default: that of Kubernetes)',
    },
    env: {
      value: 'NAME=VALUE',
      isRepeatable: true,
      help: 'a variable for the sidecar that injection does not set',
    },
    'ca-config-map': {
      value: 'NAME[/KEY]',
      help: "a ConfigMap in the pod's namespace with CA certificates that the sidecar trusts (key ca.crt)",
    },
    'ca-secret': { value: 'NAME[/KEY]', help: 'the same from a Secret' },
    'client-id': {
      value: 'ID',
      help: 'client id (default: from the ServiceAccount in the same input)',
    },
    'tenant-id': {
      value: 'ID',
      help: 'tenant id (default: from the ServiceAccount in the same input)',
    },
    namespace: { value: 'NAME', help: 'namespace of objects that name none' },
    uid: {
      value: 'UID|none',
      help: `the sidecar's uid (default ${DEFAULT_UID}); none leaves it to the cluster`,
    },
    'kubernetes-version': {
      value: 'VERSION',
      help: 'version of the cluster (default: 1.29 or newer)',
    },
    path: {
      value: 'KIND=PATH',
      isRepeatable: true,
      help: 'path of the pod template in another kind, such as RayCluster=spec.workerGroupSpecs.*.template or Service.serving.knative.dev=spec.template; Rollouts of Argo are known',
    },
    output: {
      short: 'o',
      value: 'FORMAT',
      choices: ['yaml', 'diff', 'json'],
      help: 'yaml (the default): the manifests; diff: what would change, as a unified diff; json: what was done to each object, with a schemaVersion',
    },
    strict: {
      help: 'exit with 1 if nothing is injected or a kind is unsupported; without the flag that is a warning',
    },
    quiet: {
      short: 'q',
      help: 'print problems and warnings, and not what was done to each object',
    },
  },
  examples: [
    'wimds inject --mode loopback deployment.yaml | kubectl apply -f -',
    'kubectl kustomize overlays/production | wimds inject - > production.yaml',
  ],
  exitCodes: {
    1: 'a manifest cannot be read, or a workload cannot be injected; with --strict also: nothing is injected, or a kind is unsupported',
  },
} as const satisfies CommandDeclaration
