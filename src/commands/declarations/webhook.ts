/** Declares `wimds webhook`. */
import { DEFAULT_AUDIENCE } from '../../clouds.ts'
import { PULL_POLICIES } from '../../kubernetes/injector/settings.ts'
import { ROUTING_MODES } from '../../lib/routing-modes.ts'
import { DEFAULT_UID } from '../../lib/sidecar-defaults.ts'
import type { CommandDeclaration } from './declaration.ts'

const CERTIFICATE = 'Its own certificate, which the replicas share in a Secret'
const INJECTION = 'Injection'

export const WEBHOOK = {
  name: 'webhook',
  group: 'Run in a cluster',
  summary: 'run the admission webhook, which adds the sidecar to pods',
  description:
    'Serves the mutating admission webhook, which injects the sidecar into pods with the annotation wimds.io/inject: "true", and into the pods of namespaces with a label of this name and value. Runs in a cluster; the chart charts/wimds installs it.',
  flags: {
    listen: { value: 'HOST:PORT', help: 'address for reviews, over TLS 1.3 (default [::]:8443)' },
    'admin-listen': {
      value: 'HOST:PORT',
      help: 'address for /healthz, /readyz and /metrics (default [::]:9440)',
    },
    drain: {
      value: 'DURATION',
      help: 'time to keep serving after the signal to stop (default 5s, at most 1h)',
    },
    'client-ca': {
      value: 'FILE',
      completion: 'file',
      help: 'serve only callers with a client certificate of these CAs (PEM)',
    },
    namespace: {
      value: 'NAME',
      group: CERTIFICATE,
      help: 'namespace of the Service and the Secret (default wimds)',
    },
    service: {
      value: 'NAME',
      group: CERTIFICATE,
      help: 'the Service that the API server calls (default wimds-webhook)',
    },
    secret: {
      value: 'NAME',
      group: CERTIFICATE,
      help: 'the Secret for the certificate (default wimds-webhook-tls)',
    },
    configuration: {
      value: 'NAME',
      group: CERTIFICATE,
      help: 'the MutatingWebhookConfiguration to write the CA into (default wimds)',
    },
    'certificate-lifetime': {
      value: 'DURATION',
      group: CERTIFICATE,
      help: 'lifetime of the certificate, which is rotated when a third is left (default 2160h)',
    },
    'cert-dir': {
      value: 'DIR',
      completion: 'directory',
      group: 'Or a mounted certificate',
      help: 'serve tls.crt and tls.key of DIR, which are read again when they change',
    },
    mode: {
      value: 'MODE',
      choices: ROUTING_MODES,
      group: INJECTION,
      help: 'mode of pods without the annotation: env, loopback (the default), nft or node',
    },
    'allowed-modes': {
      value: 'LIST',
      choices: ROUTING_MODES,
      isList: true,
      group: INJECTION,
      help: `modes that pods may choose, separated by commas (default: ${ROUTING_MODES.join(',')})`,
    },
    'allow-pass-through': {
      group: INJECTION,
      help: 'allow the annotation wimds.io/pass-through',
    },
    image: { value: 'IMAGE', group: INJECTION, help: "the sidecar's image" },
    'redirect-image': { value: 'IMAGE', group: INJECTION, help: "the init container's image" },
    'image-pull-policy': {
      value: 'POLICY',
      choices: PULL_POLICIES,
      group: INJECTION,
      help: 'pull policy of both images (default: that of Kubernetes)',
    },
    env: {
      value: 'NAME=VALUE',
      group: INJECTION,
      isRepeatable: true,
      help: 'a variable for the sidecar that injection does not set',
    },
    'ca-config-map': {
      value: 'NAME[/KEY]',
      group: INJECTION,
      help: "a ConfigMap in each pod's namespace with CA certificates that sidecars trust (key ca.crt)",
    },
    'ca-secret': { value: 'NAME[/KEY]', group: INJECTION, help: 'the same from a Secret' },
    'tenant-id': {
      value: 'ID',
      group: INJECTION,
      help: 'tenant id for ServiceAccounts without one',
    },
    uid: {
      value: 'UID|none',
      group: INJECTION,
      help: `the sidecar's uid (default ${DEFAULT_UID}); none leaves it to the cluster`,
    },
    audience: {
      value: 'AUDIENCE',
      group: INJECTION,
      help: `audience of the projected token (default ${DEFAULT_AUDIENCE})`,
    },
    'cpu-request': { value: 'QUANTITY', group: INJECTION, help: "the sidecar's CPU request" },
    'cpu-limit': { value: 'QUANTITY', group: INJECTION, help: "the sidecar's CPU limit" },
    'memory-request': {
      value: 'QUANTITY',
      group: INJECTION,
      help: "the sidecar's memory request",
    },
    'memory-limit': { value: 'QUANTITY', group: INJECTION, help: "the sidecar's memory limit" },
    'kubernetes-version': {
      value: 'VERSION',
      group: INJECTION,
      help: "version of the cluster (default: the API server's version)",
    },
  },
  exitCodes: { 0: 'shut down gracefully' },
} as const satisfies CommandDeclaration
