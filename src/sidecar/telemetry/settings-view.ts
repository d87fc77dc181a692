/** The settings in force for the status page and `wimds doctor`. */
import { type Environment, Settings, withDefaults } from '../config/settings.ts'
import { REDACTED, scrubSetting } from '../../lib/secret.ts'
import type { StatusDocument } from './status-schema.ts'

/** Matches the names of secret settings, so that a new one is hidden by its name. */
const SECRET_NAME = /HEADER|SECRET|PASSWORD|CREDENTIAL|_KEY$|_DATA$/i

/** Returns every setting that has a value, in the order of the schema, without credentials. */
export function describeSettings(env: Environment): StatusDocument['settings'] {
  const values = withDefaults(env)
  return Object.keys(Settings.shape).flatMap((name) => {
    const value = values[name]
    if (value === undefined) return []
    const shown = SECRET_NAME.test(name) ? REDACTED : scrubSetting(value).slice(0, 500)
    return { name, value: shown, source: env[name] ? 'environment' : 'default' }
  })
}
