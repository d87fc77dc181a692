/** Parses the flags that `wimds inject` and `wimds webhook` share into settings of the injector. */
import type { FlagDeclarations, Flags } from '../../lib/args.ts'
import { ROUTING_MODES } from '../../lib/routing-modes.ts'
import { DEFAULT_UID } from '../../lib/sidecar-defaults.ts'
import { VERSION } from '../../lib/version.ts'
import { parseWholeNumber } from '../../lib/whole-number.ts'
import { findUnknownSettings, formatSettingProblem } from '../../sidecar/config/settings.ts'
import type { EnvVar } from './pod.ts'
import { findSettingProblems } from './rejections.ts'
import {
  type CaSource,
  createDefaultSettings,
  INJECTION_DEFAULTS,
  type InjectionSettings,
  NATIVE_SIDECARS_SINCE,
  parseCaSource,
  PULL_POLICIES,
} from './settings.ts'

export const INJECTION_GROUP = 'Injection'

/** The flags of `wimds inject` and `wimds webhook` that say how a sidecar is injected. */
export const INJECTION_FLAGS = {
  image: {
    value: 'IMAGE',
    group: INJECTION_GROUP,
    help: "the sidecar's image (default ghcr.io/wimds/wimds of this version; none is published yet)",
  },
  'redirect-image': {
    value: 'IMAGE',
    group: INJECTION_GROUP,
    help: "the init container's image (default ghcr.io/wimds/wimds-redirect of this version)",
  },
  'image-pull-policy': {
    value: 'POLICY',
    choices: PULL_POLICIES,
    group: INJECTION_GROUP,
    help: 'pull policy of both images (default: that of Kubernetes)',
  },
  env: {
    value: 'NAME=VALUE',
    group: INJECTION_GROUP,
    isRepeatable: true,
    help: 'a variable for the sidecar that injection does not set',
  },
  'ca-config-map': {
    value: 'NAME[/KEY]',
    group: INJECTION_GROUP,
    help: "a ConfigMap in the pod's namespace with CA certificates that the sidecar trusts (key ca.crt)",
  },
  'ca-secret': { value: 'NAME[/KEY]', group: INJECTION_GROUP, help: 'the same from a Secret' },
  'always-set-no-proxy': {
    group: INJECTION_GROUP,
    help: 'set NO_PROXY in every container; without the flag only where a variable or envFrom may set a proxy',
  },
  uid: {
    value: 'UID|none',
    group: INJECTION_GROUP,
    help: `the sidecar's uid (default ${DEFAULT_UID}); none leaves it to the cluster`,
  },
} as const satisfies FlagDeclarations

type InjectionFlag = keyof typeof INJECTION_FLAGS | 'mode' | 'kubernetes-version'

/**
 * Returns the injector's settings, without those that override the ServiceAccount. If problems were added to the
 * list, the result must not be used.
 */
export function parseInjectionSettings(
  flags: Pick<Flags<InjectionFlag>, 'has' | 'value' | 'values'>,
  problems: string[],
): InjectionSettings {
  const defaults = createDefaultSettings(VERSION)
  const mode = flags.value('mode')
  const policy = flags.value('image-pull-policy')
  const image = parseImage(flags, 'image', problems) ?? defaults.image
  const redirectImage = parseImage(flags, 'redirect-image', problems) ?? defaults.redirectImage
  const sidecarEnv = flags.values('env').flatMap((entry) => parseVariable(entry, problems))
  problems.push(
    ...findSettingProblems(sidecarEnv).map((problem) => `--env ${formatSettingProblem(problem)}`),
  )
  const ca = parseCa(flags, problems)
  if (ca !== undefined && sidecarEnv.some(({ name }) => name === 'WIMDS_CA_FILE')) {
    problems.push(
      '--env WIMDS_CA_FILE and the CA of a ConfigMap or Secret are both given: give one',
    )
  }
  return {
    ...defaults,
    mode: ROUTING_MODES.find((each) => each === mode) ?? defaults.mode,
    image,
    redirectImage,
    imagePullPolicy: PULL_POLICIES.find((each) => each === policy),
    sidecarEnv,
    ca,
    uid: parseUid(flags.value('uid'), problems),
    alwaysSetsNoProxy: flags.has('always-set-no-proxy'),
    hasNativeSidecars: parseKubernetesVersion(flags.value('kubernetes-version'), problems),
  }
}

/** A registry, a path, a tag and a digest, as the kubelet reads them (the grammar of distribution/reference). */
const IMAGE_NAME =
  /^(?:(?:[a-z0-9][a-z0-9.-]*|[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9.-]*|[A-Za-z0-9-]+(?=:)|\[[0-9A-Fa-f:]+\])(?::\d+)?\/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?$/

function parseImage(
  flags: Pick<Flags<InjectionFlag>, 'value'>,
  name: 'image' | 'redirect-image',
  problems: string[],
): string | undefined {
  const image = flags.value(name)
  if (image !== undefined && !IMAGE_NAME.test(image) && !isPlaceholder(image)) {
    problems.push(
      `--${name} must be the name of an image such as registry.example.com/team/wimds:1.0.0, in lower case up to its tag, not ${JSON.stringify(image)}`,
    )
  }
  return image
}

/** Matches `${REGISTRY}/orders`, `REPLACE_ME`, `<image>` and the like, which no name of an image or account has. */
const PLACEHOLDER = /\$[{(]|[<>{}]|REPLACE|CHANGE_?ME/

/** Returns true for a value that is to be filled in. */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value)
}

function parseCa(
  flags: Pick<Flags<InjectionFlag>, 'value'>,
  problems: string[],
): CaSource | undefined {
  function read(name: 'ca-config-map' | 'ca-secret', kind: CaSource['kind']): CaSource | undefined {
    const text = flags.value(name)
    const ca = text === undefined ? undefined : parseCaSource(kind, text)
    if (text !== undefined && ca === undefined) {
      problems.push(`--${name} must be NAME or NAME/KEY, not ${JSON.stringify(text)}`)
    }
    return ca
  }
  const configMap = read('ca-config-map', 'configMap')
  const secret = read('ca-secret', 'secret')
  if (configMap && secret) problems.push('--ca-config-map and --ca-secret are both given: give one')
  return configMap ?? secret
}

/** What to use instead of a variable that injection sets. The chart has the same names (injection.env). */
export const SET_BY_INJECTION: ReadonlyMap<string, string> = new Map([
  [
    'AZURE_CLIENT_ID',
    'the annotation azure.workload.identity/client-id of the ServiceAccount, or --client-id of wimds inject',
  ],
  ['AZURE_TENANT_ID', '--tenant-id'],
  ['AZURE_FEDERATED_TOKEN_FILE', 'AZURE_FEDERATED_TOKEN_FILE of a container of the pod'],
  ['WIMDS_MODE', '--mode'],
  ['WIMDS_LISTEN', 'the annotation wimds.io/port of the pod'],
  ['WIMDS_ADMIN_LISTEN', 'the annotation wimds.io/admin-port of the pod'],
  ['WIMDS_CONFIG', 'the annotation wimds.io/config-map of the pod'],
])

function parseVariable(entry: string, problems: string[]): EnvVar[] {
  const [, name, value] = /^([-._a-zA-Z][-._a-zA-Z0-9]*)=([^]*)$/.exec(entry) ?? []
  if (name !== undefined && value !== undefined) {
    const instead = SET_BY_INJECTION.get(name)
    if (instead === undefined) return [{ name, value }]
    problems.push(`--env must not have ${name}, which injection sets. Fix: use ${instead}`)
    return []
  }
  // The value may be a secret, so the message does not repeat it.
  problems.push('--env must be NAME=VALUE')
  return []
}

function parseUid(text: string | undefined, problems: string[]): number | undefined {
  if (text === undefined) return INJECTION_DEFAULTS.uid
  if (text === 'none') return undefined
  const uid = parseWholeNumber(text, UIDS)
  if (uid === undefined) {
    problems.push(
      `--uid must be a whole number from ${UIDS.min} to ${UIDS.max}, or none, not ${JSON.stringify(text)}`,
    )
  }
  return uid
}

/** Those of runAsUser, without root. */
const UIDS = { min: 1, max: 2_147_483_647 }

/** Returns true if that version has native sidecars. */
function parseKubernetesVersion(version: string | undefined, problems: string[]): boolean {
  if (version === undefined) return INJECTION_DEFAULTS.hasNativeSidecars
  const [, minor] = /^v?1\.(\d+)(?:[.+-].*)?$/.exec(version) ?? []
  if (minor === undefined) {
    problems.push(`--kubernetes-version must look like 1.29, not ${JSON.stringify(version)}`)
  }
  return Number(minor) >= NATIVE_SIDECARS_SINCE
}

/** Returns a warning for each variable of `--env` that looks like a setting and is none. */
export function findUnknownVariables(sidecarEnv: readonly EnvVar[]): string[] {
  const env = Object.fromEntries(sidecarEnv.map(({ name }) => [name, undefined]))
  return findUnknownSettings(env).map((text) => `--env: ${text}`)
}
