/** The flags of `wimds inject` → settings of the injector. */
import { UsageError } from '../../errors.ts'
import { isGuid } from '../../lib/guid.ts'
import { imagesOf } from '../../kubernetes/injector/images.ts'
import type { ManifestOptions } from '../../kubernetes/manifests/inject-document.ts'
import type { EnvVar } from '../../kubernetes/injector/pod.ts'
import {
  INJECTION_DEFAULTS,
  type InjectionSettings,
  NATIVE_SIDECARS_SINCE,
  ROUTING_MODES,
} from '../../kubernetes/injector/settings.ts'
import { VERSION } from '../../version.ts'
import type { Flags } from '../../lib/args.ts'

export const INJECT_FLAGS = {
  mode: 'value',
  image: 'value',
  'redirect-image': 'value',
  env: 'value',
  'client-id': 'value',
  'tenant-id': 'value',
  namespace: 'value',
  uid: 'value',
  'kubernetes-version': 'value',
  diff: 'switch',
  help: 'switch',
} as const

type InjectFlags = Flags<keyof typeof INJECT_FLAGS>

/** The options; throws every mistake in the flags. */
export function optionsOf(flags: InjectFlags): ManifestOptions {
  const mistakes = [...flags.mistakes]
  if (flags.positionals.length === 0) mistakes.push('name a manifest, or - for standard input')
  const settings = injectionSettings(flags, mistakes)
  if (mistakes.length > 0) throw new UsageError(mistakes)
  return { namespace: flags.value('namespace'), settings: { ...settings, isOptOut: true } }
}

/** Flags that `wimds inject` and `wimds webhook` share. */
type SettingFlag = Exclude<keyof typeof INJECT_FLAGS, 'namespace' | 'diff' | 'help'>

/** The injector's settings; mistakes are added to the list, and what is given back then counts for nothing. */
export function injectionSettings(
  flags: Pick<Flags<SettingFlag>, 'value' | 'values'>,
  mistakes: string[],
): InjectionSettings {
  const images = imagesOf(VERSION)
  const mode = flags.value('mode') ?? INJECTION_DEFAULTS.mode
  const knownMode = ROUTING_MODES.find((each) => each === mode)
  if (knownMode === undefined) mistakes.push(`--mode must be one of ${ROUTING_MODES.join(', ')}`)
  const image = imageOf(flags, 'image', mistakes) ?? images.sidecar
  const redirectImage = imageOf(flags, 'redirect-image', mistakes) ?? images.redirect
  const clientId = flags.value('client-id')
  if (clientId !== undefined && !isGuid(clientId)) mistakes.push('--client-id must be a GUID')
  const tenantId = flags.value('tenant-id')
  if (tenantId !== undefined && !/^[\w.-]+$/.test(tenantId)) {
    mistakes.push("--tenant-id must be a tenant's GUID or domain")
  }
  return {
    ...INJECTION_DEFAULTS,
    mode: knownMode ?? INJECTION_DEFAULTS.mode,
    image,
    redirectImage,
    sidecarEnv: flags.values('env').flatMap((entry) => variable(entry, mistakes)),
    clientId,
    tenantId,
    uid: uidOf(flags.value('uid'), mistakes),
    hasNativeSidecars: isNative(flags.value('kubernetes-version'), mistakes),
  }
}

function imageOf(
  flags: Pick<Flags<SettingFlag>, 'value'>,
  name: 'image' | 'redirect-image',
  mistakes: string[],
): string | undefined {
  const image = flags.value(name)
  const isName = image === undefined || /^\S+$/.test(image)
  if (!isName) mistakes.push(`--${name} must be the name of an image`)
  return image
}

function variable(entry: string, mistakes: string[]): EnvVar[] {
  const [, name, value] = /^([-._a-zA-Z][-._a-zA-Z0-9]*)=([^]*)$/.exec(entry) ?? []
  if (name !== undefined && value !== undefined) return [{ name, value }]
  // The value is not shown: it may be a secret that lost its name.
  mistakes.push('--env must be NAME=VALUE')
  return []
}

function uidOf(text: string | undefined, mistakes: string[]): number | undefined {
  if (text === undefined) return INJECTION_DEFAULTS.uid
  if (text === 'none') return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) mistakes.push('--uid must be a number above 0, or none')
  return Number(text)
}

function isNative(version: string | undefined, mistakes: string[]): boolean {
  if (version === undefined) return INJECTION_DEFAULTS.hasNativeSidecars
  const [, minor] = /^v?1\.(\d+)(?:[.+-].*)?$/.exec(version) ?? []
  if (minor === undefined) mistakes.push('--kubernetes-version must look like 1.29')
  return Number(minor) >= NATIVE_SIDECARS_SINCE
}
