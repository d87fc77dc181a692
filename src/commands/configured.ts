/** The configuration, with what the files hold that it names: the mistakes of both are told together. */
import { type Config, loadConfig } from '../config/config.ts'
import { readIdentitiesFile } from '../config/identities-text.ts'
import type { Environment } from '../config/settings.ts'
import { isCertificates } from '../config/urls.ts'
import { ConfigError } from '../errors.ts'
import type { JsonValue } from '../metadata/instance.ts'
import { noting } from '../lib/collect-errors.ts'
import { readSetting } from './setting-file.ts'

export interface Configured {
  readonly config: Config
  /** The certificates of WIMDS_CA_FILE, PEM. */
  readonly extraCa: string | undefined
  /** The document of WIMDS_INSTANCE_FILE. */
  readonly instance: JsonValue | undefined
}

/** Throws a `ConfigError` that lists all mistakes, each with its variable or its place in a file. */
export async function configured(env: Environment): Promise<Configured> {
  const mistakes: string[] = []
  const extraCa = await noting(mistakes, () => certificatesOf(env['WIMDS_CA_FILE']))
  const instance = await noting(mistakes, () => documentOf(env['WIMDS_INSTANCE_FILE']))
  return { config: await loadConfig(env, readIdentitiesFile, mistakes), extraCa, instance }
}

/** A file without certificates would be ignored, and its user told to set what is set. */
async function certificatesOf(path: string | undefined): Promise<string | undefined> {
  const text = await readSetting('WIMDS_CA_FILE', path || undefined)
  if (text !== undefined && !isCertificates(text)) {
    throw new ConfigError(
      `WIMDS_CA_FILE: ${String(path)} holds no PEM certificates that can be read`,
    )
  }
  return text
}

async function documentOf(path: string | undefined): Promise<JsonValue | undefined> {
  const text = await readSetting('WIMDS_INSTANCE_FILE', path || undefined)
  if (text === undefined) return undefined
  const document = parsed(text)
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new ConfigError(`WIMDS_INSTANCE_FILE: ${String(path)} is not a JSON object`)
  }
  return document
}

function parsed(text: string): JsonValue | undefined {
  try {
    const value: JsonValue = JSON.parse(text)
    return value
  } catch {
    return undefined
  }
}
