/** Follows the identities file of a running sidecar: a good new one is adopted, a bad one is not. */
import { type Config, loadConfig } from '../../config/config.ts'
import { readIdentitiesText } from '../../config/identities-file.ts'
import type { Environment } from '../../config/settings.ts'
import { watchFile } from '../../lib/watch-file.ts'
import { ConfigError } from '../../errors.ts'
import type { Logger } from '../../telemetry/logger.ts'

interface ReloadOptions {
  readonly config: Pick<Config, 'identitiesFile'>
  readonly env: Environment
  readonly log: Logger
  /** Takes a new configuration over. */
  readonly adopt: (next: Config) => void
  /** Told of each try; `problem` says why the old identities are still in force. */
  readonly onReload: (problem: string | undefined) => void
}

/** Begins to follow the file, if there is one. Returns how to stop. */
export function followIdentities(options: ReloadOptions): () => void {
  const { config, env, log, adopt, onReload } = options
  if (config.identitiesFile === undefined) return () => {}
  const { path, text } = config.identitiesFile

  async function reload(): Promise<void> {
    try {
      const next = await loadConfig(env)
      adopt(next)
      onReload(undefined)
      log.info('config_reloaded', { file: path, identities: next.directory.identities.length })
    } catch (error) {
      const problem = error instanceof ConfigError ? error.message : 'it cannot be read'
      onReload(`the identities file has changed and is not used, the old one still is: ${problem}`)
      log.error('config_reload_failed', { file: path, message: problem })
    }
  }

  const watch = watchFile({ path, text, readText: readIdentitiesText, onChange: reload })
  void watch.poll()
  return watch.close
}
