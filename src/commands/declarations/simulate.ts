/** Declares `wimds simulate`. */
import type { CommandDeclaration } from './declaration.ts'

export const SIMULATE = {
  name: 'simulate',
  group: 'Try without Azure',
  summary: 'simulate Entra ID, a cluster issuer and a resource server for development and CI',
  description:
    'Runs a Kubernetes token issuer, an Entra ID token endpoint that validates signatures and claims, and a key vault, and writes a projected token as the kubelet does. Works offline.',
  flags: {
    dir: {
      value: 'DIR',
      completion: 'directory',
      help: 'folder for ca.crt, token/azure-identity-token and env (default: a temporary folder, removed at the end)',
    },
    config: {
      value: 'FILE',
      completion: 'file',
      help: 'tenants, applications, resources, issuers, secrets and faults (YAML)',
    },
    listen: {
      value: 'HOST:PORT',
      help: 'address of Entra ID, over TLS (default: 127.0.0.1 and a free port)',
    },
    'issuer-listen': { value: 'HOST:PORT', help: 'address of the token issuer, over TLS' },
    'vault-listen': { value: 'HOST:PORT', help: 'address of the key vault, over TLS' },
    'token-proxy-listen': {
      value: 'HOST:PORT',
      help: 'also the token proxy of identity bindings, over TLS; the environment then routes exchanges to it (default: no token proxy)',
    },
    host: {
      value: 'NAME',
      isRepeatable: true,
      help: 'DNS name or address for the certificate; the first name is also the host in the URLs',
    },
    'tls-cert': {
      value: 'FILE',
      completion: 'file',
      help: 'certificate of Entra ID and the vault (PEM)',
    },
    'tls-key': { value: 'FILE', completion: 'file', help: 'its key' },
    rotate: {
      value: 'SECONDS',
      help: 'rotation interval of the projected token (default: 80 % of its lifetime)',
    },
  },
  notes: `While it runs, these endpoints of Entra ID's origin control and observe it:
  GET PUT POST DELETE  /simulator/faults      a JSON array, such as [{"kind":"throttled","times":1}]
  GET DELETE           /simulator/requests    counters and the last exchanges, without tokens
  GET PUT              /simulator/directory   tenants, applications and resources
  POST                 /simulator/token       write a projected token, such as {"serviceAccount":"x"}
  POST                 /simulator/issuer-key  sign with a new key`,
  examples: [
    'wimds simulate --dir sim    # then, elsewhere: set -a; . sim/env; set +a; wimds serve',
  ],
  exitCodes: { 1: 'an address cannot be bound' },
} as const satisfies CommandDeclaration
