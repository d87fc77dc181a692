/** Checks whether a cluster, and a namespace of it, can run injected pods. */
import * as z from 'zod/mini'
import { TENANT_ID } from '../../../kubernetes/service-account.ts'
import { inject } from '../../../injection/injector/inject.ts'
import {
  INJECTION_DEFAULTS,
  NATIVE_SIDECARS_SINCE,
} from '../../../injection/injector/injection-settings.ts'
import type { RoutingMode } from '../../../lib/sidecar-interface.ts'
import { failed, notChecked, type Outcome, passed } from '../findings.ts'
import { type Kubectl, parseOutput } from '../kubectl.ts'

/** The minor version of Kubernetes 1 from which on the chart can be installed. */
const SUPPORTED_SINCE = 27

const Version = z.object({
  serverVersion: z.object({ gitVersion: z.string(), major: z.string(), minor: z.string() }),
})

/** Returns whether the version of the API server is supported, and what an old one lacks. */
export async function checkVersion(kubectl: Kubectl): Promise<Outcome> {
  const result = await kubectl(['version', '--output=json'])
  const data = parseOutput(Version, result)
  if (data === undefined) return failed(result.fault)
  const { gitVersion, minor } = data.serverVersion
  const version = Number.parseInt(minor, 10)
  if (version < SUPPORTED_SINCE) {
    return failed({
      code: 'kubernetes_version',
      problem: `the API server is ${gitVersion}, and wimds supports 1.${SUPPORTED_SINCE} and later`,
      fix: 'upgrade the cluster',
    })
  }
  return version < NATIVE_SIDECARS_SINCE
    ? passed(
        gitVersion,
        `before 1.${NATIVE_SIDECARS_SINCE} there are no native sidecars: pods that run to completion, such as Jobs, cannot be injected`,
      )
    : passed(gitVersion)
}

const Namespace = z.object({
  metadata: z.object({ labels: z.optional(z.record(z.string(), z.string())) }),
})

const ENFORCE = 'pod-security.kubernetes.io/enforce'

/**
 * Returns whether the namespace admits an injected pod. The API server decides by a dry run, which creates nothing:
 * that includes its default Pod Security level and other policies, which no label shows.
 */
export async function checkAdmission(
  kubectl: Kubectl,
  namespace: string | undefined,
  mode: RoutingMode,
): Promise<Outcome> {
  const level = namespace === undefined ? [] : await readLevel(kubectl, namespace)
  if (level === undefined) {
    return notChecked(`there is no namespace ${namespace}. Create it, or name another one`)
  }
  const args = ['create', '--dry-run=server', '--output=name', '--filename=-']
  const { code, stderr, reason, fault } = await kubectl(args, JSON.stringify(createSamplePod(mode)))
  if (code === 0) return passed('is admitted (dry run)', ...level)
  const problem = reason.replace(/^error when creating "STDIN": /, '')
  if (/cannot create resource|does not support dry run/.test(stderr)) {
    return notChecked(problem, ...level)
  }
  const isRejected = /\((?:Forbidden|Invalid|BadRequest)\)|admission webhook|denied/.test(stderr)
  return failed(isRejected ? { code: 'pod_not_admitted', problem, fix: ADMIT } : fault, ...level)
}

const ADMIT =
  'the modes loopback and nft need an init container with NET_ADMIN: label the namespace pod-security.kubernetes.io/enforce=privileged, exempt it from the policy that is named, or choose mode env or node, in which a pod needs no privileges; on OpenShift set the uid of the injector to none'

/**
 * Returns a sentence on the Pod Security level; none without permission to read it, since the dry run decides alone.
 * Returns undefined if there is no such namespace.
 */
async function readLevel(kubectl: Kubectl, namespace: string): Promise<string[] | undefined> {
  const result = await kubectl(['get', 'namespace', namespace, '--output=json'])
  if (result.stderr.includes('(NotFound)')) return undefined
  const data = parseOutput(Namespace, result)
  if (data === undefined) return []
  const level = data.metadata.labels?.[ENFORCE]
  return [
    level === undefined
      ? `it has no label ${ENFORCE}, so the default of the cluster applies`
      : `its Pod Security level is ${level}`,
  ]
}

const HARDENED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
}

/** Returns a pod that Pod Security `restricted` admits, injected in the mode. */
function createSamplePod(mode: RoutingMode) {
  const injection = inject({
    pod: {
      metadata: {
        name: 'wimds-doctor',
        annotations: { 'wimds.io/inject': 'true', 'wimds.io/mode': mode },
      },
      spec: {
        securityContext: {
          runAsUser: 1000,
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        containers: [
          {
            name: 'app',
            image: 'registry.k8s.io/pause:3.10',
            resources: {
              requests: { cpu: '10m', memory: '16Mi' },
              limits: { cpu: '100m', memory: '64Mi' },
            },
            securityContext: HARDENED,
          },
        ],
      },
    },
    serviceAccount: { [TENANT_ID]: ANY_ID },
    settings: { ...INJECTION_DEFAULTS, clientId: ANY_ID },
  })
  if (injection.kind !== 'injected') throw new Error('the sample pod cannot be injected')
  const { metadata, spec } = injection.pod
  // An installed webhook would inject it again, for a ServiceAccount that has no identity, and so reject it.
  const annotations = { 'wimds.io/inject': 'false' }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, annotations }, spec }
}

const ANY_ID = '00000000-0000-0000-0000-000000000000'
