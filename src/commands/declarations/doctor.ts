/** Declares `wimds doctor`. */
import { ROUTING_MODES } from '../../lib/routing-modes.ts'
import { type CommandDeclaration, OUTPUT_FLAGS } from './declaration.ts'

const ELSEWHERE = 'From another machine, with its kubectl'

export const DOCTOR = {
  name: 'doctor',
  group: 'Find problems',
  summary: 'find out why there is no token, and how to fix it',
  description: `Run it in the container of a sidecar, or from your machine with --pod for a pod, or with --pre before an installation.

It checks the settings, the sidecar on this machine, the route to it, the requests that it answered with an error, the claims of the projected token, the connectivity to Entra ID and the clock, and exchanges once for each identity: for its prefetch resources, or else the first of its allowed resources, or else for Azure Resource Manager. It explains each failure, with a fix, and prints the commands that create a missing federated credential. It prints no token.

Nothing is reported as right that was not checked. docs/doctor.md lists the checks.`,
  flags: {
    ...OUTPUT_FLAGS,
    verbose: {
      help: 'also print the settings that have their default, and the failed checks if nothing is set',
    },
    mode: {
      value: 'MODE',
      choices: ROUTING_MODES,
      help: `the routing mode: ${ROUTING_MODES.join(', ')} (default: WIMDS_MODE; that of the pod; with --pre loopback)`,
    },
    'no-sidecar': { help: 'do not check the sidecar and the route to it' },
    'no-exchange': { help: 'do not attempt a token exchange' },
    pod: {
      value: 'NAMESPACE/POD',
      help: 'check this pod from outside, and run doctor in the container of its sidecar',
      group: ELSEWHERE,
    },
    pre: {
      help: 'check, before an installation, the issuer, the API server, and whether a namespace admits injected pods',
      group: ELSEWHERE,
    },
    namespace: {
      value: 'NAME',
      help: 'with --pre: the namespace (default: the current one of the kubeconfig)',
      group: ELSEWHERE,
    },
    issuer: {
      value: 'URL',
      help: 'with --pre: the issuer (default: the one that the API server names)',
      group: ELSEWHERE,
    },
    context: { value: 'NAME', help: 'the context of the kubeconfig', group: ELSEWHERE },
  },
  examples: [
    'kubectl exec POD -c wimds -- wimds doctor',
    'wimds doctor --pod shop/orders-6d4cf56db6-x2x8p',
    'wimds doctor --pre --namespace shop --mode loopback',
  ],
  exitCodes: {
    0: 'every check passed, is not needed, or was left out by a flag',
    1: 'a check failed',
    2: 'no check failed, but one could not be made',
  },
} as const satisfies CommandDeclaration

type FlagName = keyof typeof DOCTOR.flags

/** Where a flag has a meaning; each flag is in one list. */
export const FLAG_SCOPES = {
  everywhere: ['output', 'verbose', 'mode', 'pod', 'pre'],
  /** Where a sidecar is checked, here or in a pod: doctor passes them to the one in the pod. */
  sidecar: ['no-sidecar', 'no-exchange'],
  /** With `--pod` and `--pre`. */
  outside: ['context'],
  pre: ['namespace', 'issuer'],
} as const satisfies Readonly<Record<string, readonly FlagName[]>>
