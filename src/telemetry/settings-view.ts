/** The settings in force, as people may see them: each with its origin, none with a credential. */
import { type Environment, Settings, withDefaults } from '../config/settings.ts'
import { REDACTED, scrubSetting } from '../secret.ts'
import type { StatusDocument } from './status-schema.ts'

/** By name, so that a setting that is new and secret need not be listed to be hidden. */
const SECRET_NAME = /HEADER|SECRET|PASSWORD|CREDENTIAL|_KEY$|_DATA$/i

/** Every setting that has a value, in the order of the schema. */
export function settingsView(env: Environment): StatusDocument['settings'] {
  const values = withDefaults(env)
  return Object.keys(Settings.shape).flatMap((name) => {
    const value = values[name]
    if (value === undefined) return []
    return { name, value: shown(name, value), origin: env[name] ? 'environment' : 'default' }
  })
}

function shown(name: string, value: string): string {
  return SECRET_NAME.test(name) ? REDACTED : scrubSetting(value).slice(0, 500)
}
